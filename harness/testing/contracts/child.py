"""The process in which a plugin is checked: findings go out as lines of JSON."""

from __future__ import annotations

import importlib.abc
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import currentframe
from pathlib import Path
from types import FrameType
from typing import Any

from harness.errors import HarnessError
from harness.plugin_manager import Plugins
from harness.plugin_manager.places import calling_place
from harness.specs import parse_spec
from harness.testing.contracts.observing import check_observers
from harness.testing.contracts.plugin_check import as_event
from harness.testing.contracts.suite import Finding, check_part

HEAVY = (
    *("torch", "transformers", "datasets", "openai", "litellm", "sklearn", "pandas"),
    *("tensorflow", "jax", "matplotlib"),
)
"""Packages that take long to import: a plugin imports them when a part is used."""
IMPORTED = "its import prints nothing and imports nothing heavy"


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
    """Do what the one argument asks for."""
    order = json.loads(sys.argv[1])
    tell, printed = _only_we_write()
    for finding in _findings(order, tell, printed):
        tell(as_event(finding))
    tell({"ended": True})


def _findings(
    order: Mapping[str, Any], tell: Callable[[object], None], printed: Path
) -> Iterator[Finding]:
    asked, choice = order["name"], order["choice"]
    recorder = _Recorder()
    sys.meta_path.insert(0, recorder)
    try:
        plugins = _plugins(asked, choice)
    except HarnessError as error:
        yield Finding("import", "it can be imported", str(error), "", asked)
        return
    name = _name_of(asked, plugins)
    plugins.all_parts()
    sys.meta_path.remove(recorder)
    sys.stdout.flush()
    yield from _import_findings(name, plugins, recorder, printed.read_text(errors="replace"))
    yield from _part_findings(name, plugins, order["specs"], tell)
    if any(one.name == name for one in plugins.infos()):
        tell({"begun": "observers"})
        yield from check_observers(plugins, name, plugins.plugin(name))


def _plugins(asked: str, choice: Mapping[str, Any]) -> Plugins:
    """The plugins with the one that is asked for, which may be installed already."""
    plugins = Plugins(**choice)
    names = {problem.plugin for problem in plugins.problems} | {i.name for i in plugins.infos()}
    if asked.endswith(".py") or not any(_is(asked, name) for name in names):
        plugins.add(asked)
    return plugins


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


def _part_findings(
    name: str, plugins: Plugins, specs: Sequence[str], tell: Callable[[object], None]
) -> Iterator[Finding]:
    by_name = {parse_spec(spec).name: spec for spec in specs}
    for part in plugins.all_parts():
        if part.plugin == name:
            tell({"begun": f"{part.kind} {part.name!r}"})
            bare = part.name.partition("/")[2] or part.name
            yield from check_part(plugins, part, by_name.get(bare))


def _name_of(asked: str, plugins: Plugins) -> str:
    names = [*(one.name for one in plugins.infos()), *(one.plugin for one in plugins.problems)]
    return next((name for name in reversed(names) if _is(asked, name)), asked)


def _is(asked: str, name: str) -> bool:
    """Whether a plugin is called so: ``entry (distribution version)``, or a part of that."""
    entry, _, rest = name.partition(" (")
    return asked in (name, entry, rest.partition(" ")[0])


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
