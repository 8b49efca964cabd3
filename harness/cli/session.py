"""What several commands need: plugins with their warnings, the data folder, the runs."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.plugin_manager import Plugins, Problem
from harness.progress import Silent
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "RUNS",
    "NotesOnly",
    "console",
    "data_folder",
    "hanging",
    "load_plugins",
    "note",
    "say",
    "warn",
]

WIDE = 200
"""Columns of a line where no terminal limits them."""
NARROW = 20
"""Columns that a text is given at least, on however narrow a terminal."""

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
    """A rich console for stdout or stderr; into a file or a pipe it writes wide lines."""
    from rich.console import Console

    screen = Console(stderr=stderr, highlight=False)
    if not screen.is_terminal and "COLUMNS" not in os.environ:
        screen.width = WIDE
    return screen


def say(text: str) -> None:
    """Print plain text on stdout, exactly as it is."""
    print(text)  # noqa: T201


def hanging(start: str, text: str) -> None:
    """Print a line; on a terminal it goes on below the beginning of ``text``."""
    if sys.stdout.isatty():
        below = " " * len(start)
        width = max(len(start) + NARROW, shutil.get_terminal_size().columns)
        folded = textwrap.wrap(
            text, width, initial_indent=start, subsequent_indent=below, break_on_hyphens=False
        )
        say("\n".join(folded))
    else:
        say(start + text)


def warn(message: str) -> None:
    """Say on stderr, once, what is wrong but stops nothing."""
    if message not in _said:
        _said.add(message)
        print(f"harness: warning: {message}", file=sys.stderr)  # noqa: T201


class NotesOnly(Silent):
    """Watches a run without a terminal: says nothing but what the user should know."""

    def noted(self, message: str) -> None:
        """One line on stderr."""
        print(f"harness: note: {message}", file=sys.stderr)  # noqa: T201


def note(message: str) -> None:
    """Say on stderr, once, what the user should know."""
    if message not in _said:
        _said.add(message)
        print(f"harness: note: {message}", file=sys.stderr)  # noqa: T201


def _warn(problem: Problem) -> None:
    warn(str(problem))
