"""What several commands need: plugins with their warnings, the data folder, the runs."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from functools import cache
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
    "take_plugins",
    "third_party",
    "warn",
]

WIDE = 200
"""Columns of a line where no terminal limits them."""
NARROW = 20
"""Columns that a text is given at least, on however narrow a terminal."""

PLUGIN_OPTIONS = ("--plugin", "--no-plugin")

_said: set[str] = set()
_named: list[tuple[str, str]] = []


def take_plugins(arguments: Sequence[str]) -> list[str]:
    """Read ``--plugin X`` and ``--no-plugin X``, wherever they stand; the other arguments.

    Before the command line is parsed, since a plugin may add the command that it calls.

    Raises:
        CommandError: if one of them has no value.
    """
    from harness.errors import CommandError

    _named.clear()
    load_plugins.cache_clear()
    given, others = list(arguments), list[str]()
    while given:
        option, equals, value = given.pop(0).partition("=")
        if option == "--":
            return [*others, option, *given]
        if option not in PLUGIN_OPTIONS:
            others.append(option + equals + value)
        elif equals or given:
            _named.append((option, value if equals else given.pop(0)))
        else:
            raise CommandError(f"{option} requires an argument: the module or file of a plugin")
    return others


def third_party() -> bool:
    """Whether installed plugins are loaded: ``HARNESS_PLUGINS=off`` leaves them out.

    Raises:
        CommandError: for any other value.
    """
    from harness.errors import CommandError

    said = os.environ.get("HARNESS_PLUGINS", "")
    if said not in ("", "off"):
        raise CommandError(f"HARNESS_PLUGINS={said}: write off, or leave it unset")
    return not said


@cache
def load_plugins() -> Plugins:
    """The plugins of this call; what is wrong with one is said on stderr, once."""
    extra, without = ([name for option, name in _named if option == one] for one in PLUGIN_OPTIONS)
    return Plugins(extra, without=without, warn=_warn, third_party=third_party())


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
