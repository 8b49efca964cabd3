"""Writes a package of parts from templates."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import harness
from harness import hookspecs
from harness.errors import CommandError, nearest

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Offer:
    """How a part is registered: its hook, its factory, and the arguments of ``register``."""

    hook: str
    factory: str
    arguments: str
    files: tuple[str, ...] = ()


_MAKE, _TEXTS = ".from_request", ', kinds=["sequence"]'
LONGEST = 30
"""Letters of a name: no line of a template becomes too long."""
PARTS: Mapping[str, Offer] = {
    "annotator": Offer(
        "annotators",
        "KeywordAnnotator",
        '"$name", KeywordAnnotator.from_request, kinds=["sequence"]',
    ),
    "service": Offer("services", "SERVICE", "SERVICE"),
    "student": Offer("students", "CountingStudent", f'"$name", CountingStudent{_MAKE}{_TEXTS}'),
    "selector_trust": Offer("selectors", "AgreeingTrust", f'"trust/$name", AgreeingTrust{_MAKE}'),
    "selector_demonstrations": Offer(
        "selectors",
        "LikelyDemonstrations",
        f'"demonstrations/$name", LikelyDemonstrations{_MAKE}',
    ),
    "selector_query": Offer("selectors", "UnsureQuery", f'"query/$name", UnsureQuery{_MAKE}'),
    "augmenter": Offer("augmenters", "RepeatingAugmenter", f'"$name", RepeatingAugmenter{_MAKE}'),
    "task": Offer("tasks", "task_of", '"$name", task_of', ("data/train.jsonl", "data/test.jsonl")),
    "recipe": Offer("recipes", "recipe_file", '"$name", recipe_file', ("recipe.toml",)),
    "observer": Offer("", "", ""),
    "table_format": Offer("table_formats", "as_lines", '"$name", as_lines'),
}
"""Parts that can be asked for, each with its template ``parts/KIND.py.tmpl``."""


def write_package(name: str, parts: Sequence[str], target: Path) -> list[Path]:
    """Write a package, whole or not at all; its files.

    Args:
        name: of the distribution; the parts have the same name.
        parts: names of ``PARTS``.
        target: a folder that does not exist yet.

    Raises:
        CommandError: if a name cannot be used.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > LONGEST:
        raise CommandError(
            f"{name!r}: write up to {LONGEST} small letters, digits and '-', such as my-parts"
        )
    for part in parts:
        if part not in PARTS:
            roles = "selector roles are trust, demonstrations, query"
            raise CommandError(f"no part {part!r} can be written; {nearest(part, PARTS)} ({roles})")
    chosen = list(dict.fromkeys(parts))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / name
        for path, text in _files(name, chosen).items():
            file = made / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, target)
    return sorted(path for path in target.rglob("*") if path.is_file())


def _files(name: str, parts: Sequence[str]) -> dict[str, str]:
    package = name.replace("-", "_")
    words = {
        "name": name,
        "package": package,
        "version": harness.__version__,
        "hooks": str(hookspecs.VERSION),
        "registrations": _registrations(name, package, parts),
        "imports": _imports(package, parts),
        "types": _types(parts),
        "parts": ", ".join(part.replace("_", " ") for part in parts),
        "try": _first_try(name, parts),
    }
    source = f"src/{package}"
    found = {
        "pyproject.toml": _filled("pyproject.toml", words),
        "README.md": _filled("README.md", words),
        f"{source}/__init__.py": '"""Parts for freeal-harness."""\n',
        f"{source}/py.typed": "",
        f"{source}/plugin.py": _filled("plugin.py", words),
        "tests/test_contracts.py": _filled("tests/test_contracts.py", words),
    }
    for part in parts:
        if part != "observer":
            found[f"{source}/{part}.py"] = _filled(f"parts/{part}.py", words)
        if (TEMPLATES / f"tests/test_{part}.py.tmpl").is_file():
            found[f"tests/test_{part}.py"] = _filled(f"tests/test_{part}.py", words)
        for file in PARTS[part].files:
            found[f"{source}/{file}"] = _filled(f"parts/{file}", words)
    return found


def _filled(name: str, words: Mapping[str, str]) -> str:
    text = (TEMPLATES / f"{name}.tmpl").read_text(encoding="utf-8")
    return Template(text).substitute(words)


def _imports(package: str, parts: Sequence[str]) -> str:
    lines = sorted(
        f"from {package}.{part} import {PARTS[part].factory}\n"
        for part in parts
        if PARTS[part].hook
    )
    return "".join(["\n", *lines]) if lines else ""


def _types(parts: Sequence[str]) -> str:
    """What only a type checker reads, below ``TYPE_CHECKING``."""
    hooks = {PARTS[part].hook for part in parts}
    names = ["Register"] if hooks - {"", "services"} else []
    names += ["RegisterService"] if "services" in hooks else []
    lines = ["    from pathlib import Path\n\n"] if "" in hooks else []
    lines += [f"    from harness.hookspecs import {', '.join(names)}\n"] if names else []
    lines += ["    from harness.results import RunResult\n"] if "" in hooks else []
    return "".join(lines)


def _registrations(name: str, package: str, parts: Sequence[str]) -> str:
    """One hook for all parts of a kind."""
    by_hook: dict[str, list[str]] = {}
    for part in parts:
        by_hook.setdefault(PARTS[part].hook, []).append(part)
    return "".join(
        _filled("observer.py", {"name": name})
        if not hook
        else _hook(name, hook, [PARTS[part].arguments for part in own])
        for hook, own in by_hook.items()
    )


def _hook(name: str, hook: str, arguments: Sequence[str]) -> str:
    takes = "RegisterService" if hook == "services" else "Register"
    lines = [f"    register({Template(one).substitute(name=name)})" for one in arguments]
    return (
        f"\n\n@hookimpl\ndef harness_register_{hook}(register: {takes}) -> None:\n"
        f'    """Offer {hook.replace("_", " ")}."""\n' + "\n".join(lines) + "\n"
    )


def _first_try(name: str, parts: Sequence[str]) -> str:
    options = {
        "annotator": f"--annotator {name}",
        "service": f"--annotator {name}-llm:MODEL --set annotator.base_url=http://localhost:8000",
        "student": f"--student {name}",
        "augmenter": f"--set student.augmenter={name}",
        "task": f"--task {name}",
        **{
            f"selector_{role}": f"--set selector.{role}={name}"
            for role in ("trust", "demonstrations", "query")
        },
    }
    lines = [f"harness run {options[part]}" for part in parts if part in options]
    more = {"recipe": f"harness sweep {name}", "table_format": f"harness table --format {name}"}
    return "\n".join([*lines, *(more[part] for part in parts if part in more)])
