"""Who watches a run that Python code asked for: nobody, lines on stderr, or a notebook's cell."""

from __future__ import annotations

import html
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.files.printable import one_line
from harness.results import StageResult, Watcher

if TYPE_CHECKING:
    from harness.sweep.states import JobState

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


class RunLines:
    """Says on stderr, on one line each, which runs of a sweep end."""

    def __init__(self) -> None:
        self._noted: set[str] = set()

    def changed(self, state: JobState, states: Sequence[JobState]) -> None:
        """One line where a run has ended."""
        if state.state in ("done", "failed", "stopped"):
            why = f": {state.error}" if state.error else ""
            took = f" in {state.seconds:.1f} s" if state.seconds else ""
            ended = sum(one.state not in ("waiting", "running") for one in states)
            count = f"{ended} of {len(states)}"
            _line(f"{state.job.name}: {state.state}{took} ({count}){why}")

    def noted(self, message: str) -> None:
        """One line, of the first run that has to say it."""
        if (said := message.rpartition(": ")[2]) not in self._noted:
            self._noted.add(said)
            _line(f"note: {message}")


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


def _line(text: str) -> None:
    _write(f"harness: {one_line(text)}")


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
