"""What several commands need: plugins with their warnings, the data folder, the runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.plugin_manager import Plugins, Problem

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["RUNS", "console", "data_folder", "load_plugins", "say", "warn"]

RUNS = Path("results/runs")
"""Where runs are kept unless ``--out`` says otherwise."""

_said: set[str] = set()


def load_plugins(extra: Sequence[str]) -> Plugins:
    """All plugins; what is wrong with one is said on stderr, once."""
    return Plugins(extra, warn=_warn)


def data_folder(option: Path | None) -> Path | None:
    """The folder of ``--data``, else of ``HARNESS_DATA``.

    Raises:
        CommandError: if it is no folder.
    """
    from harness.errors import CommandError

    named = os.environ.get("HARNESS_DATA")
    folder = option or (Path(named) if named else None)
    if folder is not None and not folder.is_dir():
        source = "--data" if option else "HARNESS_DATA"
        raise CommandError(f"{source} {folder}: no such folder")
    return folder


def console(*, stderr: bool = False) -> Console:
    """A rich console for stdout or stderr."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def say(text: str) -> None:
    """Print plain text on stdout, exactly as it is."""
    print(text)  # noqa: T201


def warn(message: str) -> None:
    """Say on stderr, once, what is wrong but stops nothing."""
    if message not in _said:
        _said.add(message)
        print(f"harness: warning: {message}", file=sys.stderr)  # noqa: T201


def _warn(problem: Problem) -> None:
    warn(str(problem))
