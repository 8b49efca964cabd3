"""Where plugins come from: built in, installed distributions, ``--plugin``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CommandError, describe, nearest

BUILTINS = (
    "harness_tasks.plugin",
    "harness_plugins.annotators.plugin",
    "harness_plugins.llm.plugin",
    "harness_plugins.annotators.llm.plugin",
    "harness_plugins.students.plugin",
    "harness_plugins.selectors.plugin",
    "harness_plugins.augmenters.plugin",
    "harness_plugins.recipes.plugin",
    "harness_plugins.checks",
)
"""Modules of the built-in plugins, which use the same hooks as any other."""
BUILT_IN = "built in"
ENTRY_POINTS = "harness"


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin before it is imported, or what is wrong with it.

    ``origin`` is the distribution and its version, or ``BUILT_IN``; ``aliases`` are its names for
    ``--no-plugin``; without an entry point it is the module of its name. ``requires`` is what the
    distribution requires, as its metadata has it.
    """

    name: str
    origin: str
    aliases: tuple[str, ...]
    entry: Any = None
    problem: str | None = None
    requires: tuple[str, ...] = ()

    def load(self) -> object:
        """Import it."""
        return importlib.import_module(self.name) if self.entry is None else self.entry.load()


def third_party() -> bool:
    """Whether installed plugins are loaded: ``HARNESS_PLUGINS=off`` leaves them out."""
    value = os.environ.get("HARNESS_PLUGINS", "")
    if value not in ("", "off"):
        raise CommandError(f"HARNESS_PLUGINS={value}: write off, or leave it unset")
    return not value


def installed() -> Iterator[Found]:
    """The entry points of group ``harness``, one a distribution and name.

    Of a distribution that is twice on the path the first counts, as for imports.
    """
    from importlib.metadata import distributions

    every = list(distributions())
    if not any(f"[{ENTRY_POINTS}]" in (one.read_text("entry_points.txt") or "") for one in every):
        return  # their names take long to read
    seen: set[str] = set()
    for distribution in every:
        metadata = distribution.metadata
        name = (metadata["Name"] if metadata is not None else None) or "a nameless distribution"
        key = name.lower().replace("_", "-")
        if key in seen:
            continue
        seen.add(key)
        try:
            entries = [one for one in distribution.entry_points if one.group == ENTRY_POINTS]
        except Exception as error:
            if ENTRY_POINTS in (distribution.read_text("entry_points.txt") or ""):
                problem = f"entry_points.txt is wrong: {describe(error)}"
                yield Found(name, name, (name,), problem=problem)
            continue
        for entry in entries:
            origin = f"{name} {distribution.version}"
            full = f"{entry.name} ({origin})"
            requires = tuple(distribution.requires or ())
            yield Found(full, origin, (full, entry.name, name), entry, requires=requires)


def left_out(found: Sequence[Found], extra: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """The names of the plugins that ``--no-plugin`` leaves out, of those found and ``--plugin``.

    A ``CommandError`` for a name that no plugin has.
    """
    aliases = {name: {name} for name in extra}
    for one in found:
        for alias in one.aliases:
            aliases.setdefault(alias, set()).add(one.name)
    for name in names:
        if name not in aliases:
            raise CommandError(f"--no-plugin {name}: no such plugin; {nearest(name, aliases)}")
    return frozenset().union(*(aliases[name] for name in names))


def _is_module(name: str) -> bool:
    """Whether a module has this name; a folder that Python would take for a package is none."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None


def import_named(name: str) -> object:
    """A module by its name, or a file; a ``CommandError`` for another file, or a folder."""
    path = Path(name)
    if path.suffix != ".py":
        if (path / "pyproject.toml").is_file() and not _is_module(name):
            place = shlex.quote(f"{path if path.is_absolute() else f'./{path}'}[dev]")
            raise CommandError(
                f"--plugin {name}: a folder with a package, not a module or file.py; install it: "
                f"pip install -e {place}"
            )
        if os.sep in name:
            raise CommandError(
                f"--plugin {name}: cannot be imported; write a module's name, or file.py"
            )
        # `--plugin mymodule` most often means a module in the working folder.
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        return importlib.import_module(name)
    if not path.is_file():
        raise CommandError(f"--plugin {name}: no such file")
    # A name of its own, so that a plugin json.py does not replace the module json.
    spec = importlib.util.spec_from_file_location(f"harness_plugin_file_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
