"""The progress of a run where stderr is no terminal: lines of a log."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.cli.screen.output import complain
from harness.cli.screen.tables import stage_cells
from harness.progress import Watcher
from harness.results import StageResult

EVERY = 30.0
"""Seconds between two lines of one activity."""
SCORES = {"pool": "pool", "test": "test", "valid": "validation"}
UNSCORED = {"sure": "confidence", "agree": "agreement", "noise": "estimated noise"}


class StageLines(Watcher):
    """Prints each activity's beginning, how far it is every half minute, and each stage's score.

    Args:
        clock: seconds; of tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._doing, self._begun, self._told = "", 0.0, 0.0

    def began(self, stage: str, actor: str, activity: str) -> None:
        """One line."""
        self._doing = f"{stage} {actor}: {activity}"
        self._begun = self._told = self._clock()
        complain(self._doing)

    def advanced(self, done: int, total: int) -> None:
        """One line with rate and time left, unless the last one is fresh."""
        now = self._clock()
        if now - self._told < EVERY or not done:
            return
        self._told = now
        rate = done / (now - self._begun)
        left = _duration((total - done) / rate)
        complain(f"{self._doing}: {done:,} of {total:,}, {_rate(rate)}, {left} left")

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
    return f"{rate:.3g}/s" if rate >= 1 else f"{60 * rate:.3g}/min"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
