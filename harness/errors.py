"""Every error the program raises on purpose.

    HarnessError                 exit 1
    ├── CommandError             exit 2   the command or the configuration is wrong
    │   ├── UnknownNameError              no part of that name; the nearest ones are named
    │   ├── ConfigError                   a configuration key or value is wrong
    │   │   └── InapplicableError         right elsewhere, but not with this task or part
    ├── TaskError                exit 1   a task file is wrong
    ├── DataError                exit 1   a data file is wrong: file and line are named
    │   └── NotRecordedError              a recording has no answer for a pool
    ├── PartError                exit 1   a part (built-in or third-party) broke its contract
    ├── ServiceError             exit 1   a service (LLM server, hub) refuses, or cannot be reached
    ├── BudgetError              exit 3   the next request would cost more than the budget
    └── RunError                 exit 1   a run folder cannot be used
        ├── RunHeldError                  another process is writing it
        ├── CorruptRunError               a file is damaged
        └── NewerRunError                 written by a newer harness

    Interrupted                  exit 130, 143 or 129: SIGINT, SIGTERM or SIGHUP

Each message is one line: what is wrong, where, and what to do. The command line
prints it without a traceback.
"""

from __future__ import annotations

import _thread
import difflib
import signal
import sys
import threading
import time
from collections.abc import Iterable

LISTED_KINDS = (
    *("annotators", "services", "students", "selectors", "augmenters", "tasks", "recipes"),
)
"""What ``harness list`` lists."""


class HarnessError(Exception):
    """Base of all errors that end the program with one line and an exit code."""

    exit_code = 1


class CommandError(HarnessError):
    """The command line or the configuration asks for something impossible."""

    exit_code = 2


class ConfigError(CommandError):
    """A configuration key or value is wrong."""


class InapplicableError(ConfigError):
    """A key that other parts take has no effect here, or a part does not serve the task.

    A recipe does without the rows, or the settings, that are inapplicable.

    Args:
        key: of the configuration, dotted.
        message: the line.
    """

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


class UnknownNameError(CommandError):
    """No part is registered under a name; near matches are suggested.

    Args:
        kind: what was looked for, singular ("annotator", "task", ...).
        name: the unknown name.
        known: every name that would have been right.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name = kind, name
        listed = f"{kind.rpartition(' ')[2]}s"
        every = f" (harness list {listed} prints all)" if listed in LISTED_KINDS else ""
        super().__init__(f"unknown {kind} {name!r}; {nearest(name, known)}{every}")


class TaskError(HarnessError):
    """A task declaration is wrong; the message names the file and the key or line."""


class DataError(HarnessError):
    """A data file is wrong; the message begins with ``file:line:``."""


class NotRecordedError(DataError):
    """A recording holds no answer for any example of a pool."""


class PartError(HarnessError):
    """A part returned something that its protocol does not allow."""


class ServiceError(HarnessError):
    """A service refuses or cannot be reached, and asking again would not help."""


class BudgetError(HarnessError):
    """The next request would cost more than the budget leaves; what was paid for is kept."""

    exit_code = 3


class RunError(HarnessError):
    """A run folder cannot be written or read."""


class RunHeldError(RunError):
    """Another process holds the lock of a run folder."""


class CorruptRunError(RunError):
    """A file of a run folder is half-written, damaged or missing."""


class NewerRunError(RunError):
    """A file of a run folder was written by a newer version of the program."""


SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that end a command in order; Windows has no SIGHUP."""
REPEAT_SECONDS = 0.2
"""Within this time a second signal counts as the first one: ``timeout`` and a closing terminal
send theirs twice."""


class Interrupted(KeyboardInterrupt):
    """A signal to end the command; what is recorded stays, and the same command goes on.

    Args:
        number: of the signal. The exit code is 128 more.
    """

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(signal.Signals(number).name)


def interrupt(number: int, frame: object) -> None:
    """Handle a signal as the command line does: raise ``Interrupted``."""
    came = time.monotonic()

    def repeated(number: int, frame: object) -> None:
        if time.monotonic() - came > REPEAT_SECONDS:
            raise Interrupted(number)

    def lost(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, Interrupted):
            again = threading.Timer(2 * REPEAT_SECONDS, _thread.interrupt_main, (number,))
            again.daemon = True  # a run that ends before is not held up
            again.start()
        else:
            passed_on(unraisable)

    signal.signal(number, repeated)
    # Python drops what is raised while a destructor runs, so the signal is sent once more.
    passed_on, sys.unraisablehook = sys.unraisablehook, lost
    raise Interrupted(number)


def describe(error: BaseException) -> str:
    """An unexpected error, with its type, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


LISTED = 12
"""Names that an error lists where none is near."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Which known names a wrong one may mean, or a list of them (the first dozen)."""
    names = sorted(known)
    if not names:
        return "none is registered"
    matches = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if matches:
        return "did you mean " + " or ".join(repr(match) for match in matches) + "?"
    more = "" if len(names) <= LISTED else f" and {len(names) - LISTED} more"
    return "known: " + ", ".join(names[:LISTED]) + more
