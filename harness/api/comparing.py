"""``compare``: two methods, paired by example and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.finished_runs import Run
from harness.api.frame import Frame, Framed
from harness.errors import CommandError
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.record.finished import FinishedRun
    from harness.report.comparison import TwoMethods


@dataclass(frozen=True)
class Comparison(Framed):
    """What differs, and whether the scores do by more than chance; ``found`` has all of it."""

    found: TwoMethods

    @property
    def frame(self) -> Frame:
        """One row for each stage and split: scores, B - A with its 95 % interval, p."""
        from harness.report.comparison import SPLITS

        rows = [
            {
                "stage": one.stage,
                "split": SPLITS[one.split],
                "A": one.first.score,
                "B": one.second.score,
                "difference": one.paired.difference,
                "low": one.paired.interval.low,
                "high": one.paired.interval.high,
                "p": one.paired.p,
                "gained": len(one.gained),
                "lost": len(one.lost),
            }
            for one in self.found.stages
        ]
        return Frame.of(rows, "B - A")


def compare(
    first: str | Run | Sequence[Run], second: str | Run | Sequence[Run], *, out: Path | str = RUNS
) -> Comparison:
    """Compare two methods; ``harness compare`` calls this.

    Args:
        first, second: a run, several that differ in the seed, or the name of either: any part of
            a run's id that no other has, or ``recipe:row``.
        out: where runs are kept.

    Raises:
        HarnessError: if a run is not there, or the two have no example in common.
    """
    from harness.report.comparison import compare_methods

    return Comparison(compare_methods(runs_of(first, Path(out)), runs_of(second, Path(out))))


def runs_of(method: str | Run | Sequence[Run], out: Path) -> list[FinishedRun]:
    """The finished runs of a method; a ``CommandError`` where there is none."""
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_method

    if isinstance(method, Run):
        return [method.records]
    if not isinstance(method, str):
        return [run.records for run in method]
    if not (paths := find_method(method, out)):
        raise CommandError(f"{method!r} has no finished run below {out}")
    return [FinishedRun.open(path) for path in paths]
