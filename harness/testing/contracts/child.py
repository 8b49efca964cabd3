"""The process in which a plugin is checked: findings go out as lines of JSON."""

from __future__ import annotations

import importlib.abc
import json
import os
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import asdict, replace
from functools import partial
from inspect import currentframe
from pathlib import Path
from types import FrameType
from typing import Any

from harness.errors import HarnessError
from harness.plugin_manager import Plugins
from harness.plugin_manager.places import calling_place
from harness.specs import parse_spec
from harness.testing.contracts.observing import observer_checks
from harness.testing.contracts.suite import IMPORTED, Finding, Planned, planned

HEAVY = (
    *("torch", "transformers", "datasets", "openai", "litellm", "sklearn", "pandas"),
    *("tensorflow", "jax", "matplotlib"),
)
"""Packages that take long to import: a plugin imports them when a part is used."""


class _Recorder(importlib.abc.MetaPathFinder):
    """Notes who first imports a heavy package; finds nothing itself."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Note a package that is about to be imported."""
        if name in HEAVY and name not in self.places:
            frame = currentframe()
            if not _within_heavy(frame):
                self.places[name] = calling_place(_outside(frame))


def main() -> None:
    """Do what the one argument asks for: the checks from a number on."""
    order = json.loads(sys.argv[1])
    tell, printed = _only_we_write()
    for number, (kept, check) in enumerate(_checks(order, printed)):
        if number >= order["first"]:
            tell({"begun": asdict(kept), "number": number})
            tell({"finding": asdict(check())})
    tell({"ended": True})


def _checks(order: Mapping[str, Any], printed: Path) -> Iterator[Planned]:
    asked, recorder = order["name"], _Recorder()
    sys.meta_path.insert(0, recorder)
    try:
        plugins, name = _opened(asked, order["choice"])
    except HarnessError as error:
        said = str(error).removeprefix(f"--plugin {asked}: ")
        yield _found(Finding("import", IMPORTED, said, "", asked))
        return
    parts = [part for part in plugins.all_parts() if part.plugin == name]
    sys.meta_path.remove(recorder)
    sys.stdout.flush()
    said = printed.read_text(errors="replace")
    yield from map(_found, _import_findings(name, plugins, recorder, said))
    specs = {parse_spec(spec).name: spec for spec in order["specs"]}
    for part in parts:
        yield from planned(plugins, part, specs.get(part.name.partition("/")[2] or part.name))
    if any(one.name == name for one in plugins.infos()):
        yield from observer_checks(plugins, name, plugins.plugin(name))


def _found(finding: Finding) -> Planned:
    return finding, partial(replace, finding)


def _opened(asked: str, choice: Mapping[str, Any]) -> tuple[Plugins, str]:
    """The plugins with the one that is asked for, which may be installed already, and its name."""
    plugins, called = Plugins(**choice), {asked, _distribution(asked)}
    if asked.endswith(".py") or _name_of(called, plugins) is None:
        plugins.add(asked)
    return plugins, _name_of(called, plugins) or asked


def _distribution(asked: str) -> str:
    """Of a folder with a package the name in its pyproject.toml, else what is asked for."""
    try:
        text = (Path(asked) / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["name"])
    except (OSError, ValueError, KeyError):
        return asked


def _import_findings(
    name: str, plugins: Plugins, recorder: _Recorder, printed: str
) -> Iterator[Finding]:
    found = [
        (problem.message, problem.place) for problem in plugins.problems if problem.plugin == name
    ]
    found += [
        (f"imports {package} when it is imported; do so inside the factory", place)
        for package, place in recorder.places.items()
    ]
    if printed:
        line = printed.strip().partition("\n")[0][:40]
        found.append((f"its import prints {line!r} on stdout, which is for results alone", ""))
    for message, place in found:
        yield Finding("import", IMPORTED, message, place, name)
    if not found:
        yield Finding("import", IMPORTED)


def _name_of(called: Set[str], plugins: Plugins) -> str | None:
    """The last plugin called so: ``entry (distribution version)``, or a part of that."""
    names = [*(one.name for one in plugins.infos()), *(one.plugin for one in plugins.problems)]
    for name in reversed(names):
        entry, _, rest = name.partition(" (")
        if called & {name, entry, rest.partition(" ")[0]}:
            return name
    return None


def _outside(frame: FrameType | None) -> FrameType | None:
    """The nearest frame that is neither here nor the import system's."""
    while frame is not None and (
        frame.f_code.co_filename in (__file__,) or "importlib" in frame.f_code.co_filename
    ):
        frame = frame.f_back
    return frame


def _within_heavy(frame: FrameType | None) -> bool:
    """Whether a heavy package is being imported already: it imports others."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in HEAVY:
            return True
        frame = frame.f_back
    return False


def _only_we_write() -> tuple[Callable[[object], None], Path]:
    """Keep stdout for findings; what else is printed goes to a file."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    printed = tempfile.NamedTemporaryFile(delete=True)  # noqa: SIM115 (as long as the process)
    os.dup2(printed.fileno(), 1)

    def tell(event: object) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    tell.file = printed  # type: ignore[attr-defined]
    return tell, Path(printed.name)


if __name__ == "__main__":
    main()
