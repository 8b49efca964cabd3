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


LONGEST = 30
"""Letters of a name: no line of a template becomes too long."""


@dataclass(frozen=True, slots=True)
class Offer:
    """How a part is registered and tried.

    Attributes:
        hook: that registers it, and ``factory``, what is registered.
        how: the arguments of ``register``; ``NAME`` and ``FACTORY`` are filled in.
        attempt: a command that uses it; empty where there is none.
        files: more files of the part.
    """

    hook: str
    factory: str
    how: str
    attempt: str = ""
    files: tuple[str, ...] = ()


_MADE = '"NAME", FACTORY.from_request'
_OF_TEXTS = f'{_MADE}, kinds=["sequence"]'
_SERVED = "harness run --annotator NAME-llm:MODEL --set annotator.base_url=http://localhost:8000"
_DATA = ("data/train.jsonl", "data/test.jsonl")


def _selector(role: str, factory: str) -> Offer:
    how, attempt = f'"{role}/NAME", FACTORY.from_request', f"--set selector.{role}=NAME"
    return Offer("selectors", factory, how, f"harness run {attempt}")


PARTS: Mapping[str, Offer] = {
    "annotator": Offer("annotators", "KeywordAnnotator", _OF_TEXTS, "harness run --annotator NAME"),
    "service": Offer("services", "SERVICE", "FACTORY", _SERVED),
    "student": Offer("students", "CountingStudent", _OF_TEXTS, "harness run --student NAME"),
    "selector_trust": _selector("trust", "AgreeingTrust"),
    "selector_demonstrations": _selector("demonstrations", "LikelyDemonstrations"),
    "selector_query": _selector("query", "UnsureQuery"),
    "augmenter": Offer(
        "augmenters", "RepeatingAugmenter", _MADE, "harness run --set student.augmenter=NAME"
    ),
    "task": Offer("tasks", "task_of", '"NAME", FACTORY', "harness run --task NAME", _DATA),
    "recipe": Offer(
        "recipes", "recipe_file", '"NAME", FACTORY', "harness sweep NAME", ("recipe.toml",)
    ),
    "observer": Offer("", "", ""),
    "table_format": Offer(
        "table_formats", "as_lines", '"NAME", FACTORY', "harness table --format NAME"
    ),
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
            role, roles = part.removeprefix("selector_"), ("trust", "demonstrations", "query")
            raise CommandError(
                f"no selector of the role {role!r} can be written: {nearest(role, roles)}"
            )
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
    tried = [PARTS[part].attempt.replace("NAME", name) for part in parts]
    words = {
        "name": name,
        "package": package,
        "version": harness.__version__,
        "hooks": str(hookspecs.VERSION),
        "registrations": _registrations(name, parts),
        "imports": _imports(package, parts),
        "types": _types(parts),
        "parts": ", ".join(part.replace("_", " ") for part in parts),
        "try": "\n".join(filter(None, tried)),
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


def _registrations(name: str, parts: Sequence[str]) -> str:
    """One hook for all parts of a kind."""
    by_hook: dict[str, list[Offer]] = {}
    for part in parts:
        by_hook.setdefault(PARTS[part].hook, []).append(PARTS[part])
    return "".join(
        _hook(name, hook, own) if hook else _filled("observer.py", {"name": name})
        for hook, own in by_hook.items()
    )


def _hook(name: str, hook: str, offers: Sequence[Offer]) -> str:
    takes = "RegisterService" if hook == "services" else "Register"
    calls = [one.how.replace("NAME", name).replace("FACTORY", one.factory) for one in offers]
    return (
        f"\n\n@hookimpl\ndef harness_register_{hook}(register: {takes}) -> None:\n"
        f'    """Offer {hook.replace("_", " ")}."""\n'
        + "".join(f"    register({call})\n" for call in calls)
    )
