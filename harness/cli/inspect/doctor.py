"""``harness doctor``: checks of an installation, each with what it found and what to do."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import typer

from harness.cli.inspect.device import device_found
from harness.cli.options import load_plugins
from harness.cli.screen.output import hanging
from harness.errors import describe
from harness.files.printable import one_line
from harness.plugin_manager import Plugins


def doctor() -> None:
    """Check this installation: versions, device, packaged encoder, folders, plugins."""
    problems = 0
    for name, good, finding in _checks(load_plugins()):
        problems += not good
        hanging(f"{'ok  ' if good else 'BAD '} {name}: ", one_line(finding))
    if problems:
        raise typer.Exit(1)


def _checks(plugins: Plugins) -> Iterator[tuple[str, bool, str]]:
    """Run every check, the plugins' last: its name, whether all is well, what it found."""
    from harness.protocols import no_progress

    checks: dict[str, Callable[[], object]] = {
        "python": lambda: sys.version.split()[0],
        "packages": _packages,
        "device": device_found,
        "working folder": _folder,
        "plugins": lambda: _plugins(plugins),
    }
    for name, part in plugins.parts("check").items():
        checks[name] = partial(part.factory, no_progress)
    for name, check in checks.items():
        try:
            yield name, True, str(check())
        except Exception as error:  # whatever is wrong, the other checks run
            yield name, False, describe(error)


def _packages() -> str:
    from harness.record.provenance import versions

    found = versions()
    missing = [name for name, version in found.items() if version is None]
    if missing:
        raise RuntimeError(f"not installed: pip install {' '.join(missing)}")
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _folder() -> str:
    with tempfile.TemporaryDirectory(dir=Path.cwd()):
        return "can be written"


def _plugins(plugins: Plugins) -> str:
    plugins.all_parts()
    if plugins.problems:
        raise RuntimeError("; ".join(str(problem) for problem in plugins.problems))
    return f"{len(plugins.infos())} plugins, no problem"
