"""Checks of an installation, each with what it found and what to do."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.plugin_manager import Plugins
from harness.protocols import no_progress
from harness.record.provenance import versions


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, whether all is well, and what was found."""

    name: str
    good: bool
    finding: str


def examine(plugins: Plugins) -> Iterator[Check]:
    """Run every check, the plugins' last; one that fails does not stop the others."""
    checks: dict[str, Callable[[], object]] = {
        "python": _python,
        "packages": _packages,
        "device": _device,
        "working folder": _folder,
        "plugins": lambda: _plugins(plugins),
    }
    for name, part in plugins.parts("check").items():
        checks[name] = partial(part.factory, no_progress)
    for name, check in checks.items():
        try:
            yield Check(name, True, str(check()))
        except Exception as error:  # a doctor reports what is wrong, whatever it is
            yield Check(name, False, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _python() -> str:
    return sys.version.split()[0]


def _packages() -> str:
    found = versions()
    missing = [name for name, version in found.items() if version is None]
    if missing:
        raise RuntimeError(f"not installed: pip install {' '.join(missing)}")
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"GPU {torch.cuda.get_device_name()}"
    return f"CPU, {torch.get_num_threads()} threads (no GPU found)"


def _folder() -> str:
    with tempfile.TemporaryDirectory(dir=Path.cwd()):
        return "can be written"


def _plugins(plugins: Plugins) -> str:
    plugins.all_parts()
    if plugins.problems:
        raise RuntimeError("; ".join(str(problem) for problem in plugins.problems))
    return f"{len(plugins.infos())} plugins, no problem"
