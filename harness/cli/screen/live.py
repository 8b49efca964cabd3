"""The progress of a run: finished stages and a bar on a terminal, lines of a log elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from harness.cli.screen.output import complain, console
from harness.cli.screen.tables import stage_cells
from harness.files.printable import one_line
from harness.protocols import Progress as Advance
from harness.results import StageResult, Watcher

EVERY = 30.0
"""Seconds between two lines of one activity."""
SCORES = {"pool": "pool", "test": "test", "valid": "validation"}
UNSCORED = {"sure": "confidence", "agree": "agreement"}


class NotesOnly(Watcher):
    """Watches a run without a terminal: prints only what the user should know."""

    def noted(self, message: str) -> None:
        """One line on stderr."""
        complain(f"note: {message}")


class LiveScreen:
    """What a terminal shows while a command works: drawn anew, and gone at its end."""

    def __init__(self, console: Console) -> None:
        self._live = Live("", console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._live.stop()

    def noted(self, message: str) -> None:
        """Print the message above what is drawn."""
        self._live.console.print(Text.assemble(("note:", "yellow"), f" {one_line(message)}"))


class LiveWatcher(LiveScreen, Watcher):
    """Draws finished stages with their scores, and a bar for the current activity."""

    def __init__(self, name: str, console: Console) -> None:
        super().__init__(console)
        self._name = name
        self._stages: list[StageResult] = []
        self._bar = rate_bar(console)
        self._activity: int | None = None
        self._live.update(self._drawn())

    def began(self, stage: str, actor: str, activity: str) -> None:
        """A bar of its own for each activity."""
        self._end_activity()
        self._activity = self._bar.add_task(f"{stage} {actor}: {activity}", total=None)

    def advanced(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._activity is not None:
            self._bar.update(self._activity, completed=done, total=total)  # type: ignore[arg-type]

    def finished(self, stage: StageResult) -> None:
        """Add the stage to the list above the bar."""
        self._end_activity()
        self._stages.append(stage)
        self._live.update(self._drawn())

    def _end_activity(self) -> None:
        if self._activity is not None:
            self._bar.remove_task(self._activity)  # type: ignore[arg-type]
            self._activity = None

    def _drawn(self) -> Group:
        stages = Table.grid(padding=(0, 2))
        for stage in self._stages:
            cells = stage_cells(stage)
            names = SCORES
            if stage.transductive is None:
                names |= {"sure": "sure", "agree": "agree"}
            shown = "  ".join(
                f"{name} {cells[key]} %" for key, name in names.items() if cells[key] != "–"
            )
            more = "" if cells["trusted"] == "–" else f"trusts {cells['trusted']}"
            more += " % right" if ": " in more else ""
            row = (
                cells["stage"],
                cells["actor"],
                shown,
                more,
                Text(f"{cells['s']} s", style="dim"),
            )
            stages.add_row(Text("✓", style="green"), *row)
        return Group(Text(self._name, style="bold"), stages, self._bar)


def rate_bar(console: Console) -> Progress:
    """A bar with what is done, its rate and the time left."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True),
        console=console,
        expand=True,
    )


class _Rate(ProgressColumn):
    """Finished units a second."""

    def render(self, task: Task) -> Text:
        """``123/s``, once there is a speed."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="dim")


@contextmanager
def pace(what: str) -> Iterator[Advance]:
    """Shows on stderr how many rows are done, their rate and the time left."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield PaceLines(what)
        return
    with rate_bar(screen) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class PaceLines:
    """Says on a line every half minute how far some work is.

    Args:
        what: is done.
        clock: seconds; of tests.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._clock = what, clock
        self._begun = self._told = clock()

    def __call__(self, done: int, total: int) -> None:
        """One line, unless the last one is fresh."""
        now = self._clock()
        if now - self._told < EVERY or not done:
            return
        self._told = now
        rate = done / (now - self._begun)
        left = _duration((total - done) / rate)
        complain(f"{self._what}: {done:,} of {total:,}, {_rate(rate)}, {left} left")


class StageLines(Watcher):
    """Prints each activity's beginning, how far it is every half minute, and each stage's score.

    Args:
        clock: seconds; of tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._doing = clock, ""
        self._paced: PaceLines | None = None

    def began(self, stage: str, actor: str, activity: str) -> None:
        """One line."""
        self._doing = f"{stage} {actor}: {activity}"
        self._paced = PaceLines(self._doing, self._clock)
        complain(self._doing)

    def advanced(self, done: int, total: int) -> None:
        """One line with rate and time left, unless the last one is fresh."""
        if self._paced is not None:
            self._paced(done, total)

    def finished(self, stage: StageResult) -> None:
        """One line with what it scored; none of a stage that an earlier process did."""
        if not self._doing.startswith(f"{stage.stage} "):
            return
        cells = stage_cells(stage)
        names = SCORES if stage.transductive is not None else SCORES | UNSCORED
        scores = [f"{name} {cells[key]} %" for key, name in names.items() if cells[key] != "–"]
        seconds = f"{stage.seconds:.1f} s"
        complain(f"{stage.stage} {stage.actor} done in {seconds}: {', '.join(scores)}")

    def noted(self, message: str) -> None:
        """One line."""
        complain(f"note: {message}")


def _rate(rate: float) -> str:
    if rate >= 100:
        return f"{rate:,.0f}/s"
    return f"{rate:.3g}/s" if rate >= 1 else f"{60 * rate:.3g}/min"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
