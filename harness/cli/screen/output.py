"""Lines on stdout and stderr, and the console on which tables are drawn."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from harness.files.printable import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 200
"""Columns of a line where no terminal limits them."""
NARROW = 20
"""Columns that a text gets at least, on however narrow a terminal."""

_printed: set[str] = set()


def console(*, stderr: bool = False) -> Console:
    """A rich console for stdout or stderr; into a file or a pipe it writes wide lines."""
    from harness.cli.screen.console import PlainConsole

    screen = PlainConsole(stderr=stderr)
    if not screen.is_terminal and "COLUMNS" not in os.environ:
        screen.width = WIDE
    return screen


def say(text: str) -> None:
    """Print plain text on stdout, but for what a terminal would act on."""
    print(printable(text))  # noqa: T201


def complain(message: str) -> None:
    """Print one line on stderr."""
    print(f"harness: {one_line(message)}", file=sys.stderr)  # noqa: T201


def hanging(start: str, text: str) -> None:
    """Print a line; on a terminal it goes on below the beginning of ``text``."""
    if not sys.stdout.isatty():
        say(start + text)
        return
    start, text = printable(start), printable(text)
    below = " " * len(start)
    width = max(len(start) + NARROW, shutil.get_terminal_size().columns)
    folded = textwrap.wrap(
        text, width, initial_indent=start, subsequent_indent=below, break_on_hyphens=False
    )
    say("\n".join(folded))


def warn(message: str) -> None:
    """Print on stderr, once, what is wrong but stops nothing."""
    _once(f"warning: {message}")


def note(message: str) -> None:
    """Print on stderr, once, what the user should know."""
    _once(f"note: {message}")


def _once(message: str) -> None:
    if message not in _printed:
        _printed.add(message)
        complain(message)
