"""Who watches a run that Python code asked for: nobody, lines on stderr, or a notebook's cell."""

from __future__ import annotations

import html
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from harness.files.printable import one_line
from harness.results import StageResult, Watcher

Progress: TypeAlias = bool | Callable[[str], AbstractContextManager[Watcher]]
"""False: show nothing. True: a line a stage. A callable: whoever watches the run of that id."""


class Noting(Watcher):
    """Keeps the notes of a run, and passes everything on."""

    def __init__(self, other: Watcher) -> None:
        self._other = other
        self.notes: list[str] = []

    def began(self, stage: str, actor: str, activity: str) -> None:
        """Passed on."""
        self._other.began(stage, actor, activity)

    def advanced(self, done: int, total: int) -> None:
        """Passed on."""
        self._other.advanced(done, total)

    def finished(self, stage: StageResult) -> None:
        """Passed on."""
        self._other.finished(stage)

    def noted(self, message: str) -> None:
        """Kept, and passed on."""
        self.notes.append(message)
        self._other.noted(message)


class Lines(Watcher):
    """Shows what begins, how each stage ends, and the notes."""

    def __init__(self, name: str) -> None:
        self._show = _cell(name) or _write

    def began(self, stage: str, actor: str, activity: str) -> None:
        """A line."""
        self._show(f"{stage} {actor}: {activity}")

    def finished(self, stage: StageResult) -> None:
        """A line with the scores that there are."""
        scores = {"pool": stage.transductive, "test": stage.inductive}
        said = ", ".join(f"{name} {one.score:.1%}" for name, one in scores.items() if one)
        self._show(f"{stage.stage} {stage.actor}: {said or 'done'}")

    def noted(self, message: str) -> None:
        """A line."""
        self._show(f"note: {one_line(message)}")


@contextmanager
def watched(progress: Progress, name: str, notes: list[str]) -> Iterator[Watcher]:
    """The watcher that a caller asked for; what is noted is added to ``notes``."""
    if callable(progress):
        with progress(name) as other:
            yield other
        return
    watcher = Noting(Lines(name) if progress else Watcher())
    try:
        yield watcher
    finally:
        notes += watcher.notes


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _cell(name: str) -> Callable[[str], None] | None:
    """In a notebook: shows one line after another in place of the last; else None."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    shown: Any = importlib.import_module("IPython.display")
    handle = shown.display(shown.HTML(""), display_id=True)

    def show(line: str) -> None:
        handle.update(shown.HTML(f"<code>{html.escape(f'{name}: {line}')}</code>"))

    return show
