"""Scores of methods with intervals, and how they differ."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.metrics import Score
from harness.report.differences import (
    Difference,
    Measured,
    Records,
    corrected,
    difference,
    together,
)
from harness.report.measures import measure
from harness.report.page.arms import Arm
from harness.report.rows.entries import Entry
from harness.stats.intervals import score_interval, wilson
from harness.stats.outcomes import Interval
from harness.stats.seeds import mean_of_seeds

SPLITS = {"test": "test set", "pool": "pool"}
"""Metrics that are scores, the better measure first, and what they are of."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds, and its 95 % interval where there is one."""

    value: float
    interval: Interval | None
    seeds: int

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Of the interval."""
        return (None, None) if self.interval is None else (self.interval.low, self.interval.high)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a method, on one of ``SPLITS``."""

    arm: Arm
    name: str
    split: str

    def scored(self) -> list[tuple[Entry, Score]]:
        """The runs that have the score; of several with a seed the first."""
        of = measure(self.split).of
        found = {
            run.seed: (run, score)
            for run in reversed(self.arm.runs)
            for stage in run.stages
            if stage.stage == self.name and (score := of(stage)) is not None
        }
        return [found[seed] for seed in sorted(found)]

    def by_seed(self) -> dict[int, Measured]:
        """The score of each seed."""
        return {run.seed: Measured(score.score, self.name, run.folder)
                for run, score in self.scored()}  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """What the runs of one task scored.

    Attributes:
        arms: the methods.
    """

    arms: Sequence[Arm]
    _records: Records = field(default_factory=Records)
    _means: dict[tuple[str, str, str], Mean | None] = field(default_factory=dict)

    @cached_property
    def split(self) -> str | None:
        """The first of ``SPLITS`` that any stage was scored on; None without gold labels."""
        stages = [stage for arm in self.arms for run in arm.runs for stage in run.stages]
        known = (one for one in SPLITS if any(measure(one).of(stage) for stage in stages))
        return next(known, None)

    def mean(self, at: Stage) -> Mean | None:
        """A score with its interval: of seeds and examples, of either, or none."""
        key = at.arm.name, at.name, at.split
        if key not in self._means:
            self._means[key] = self._mean(at)
        return self._means[key]

    def _mean(self, at: Stage) -> Mean | None:
        found = at.scored()
        if not found:
            return None
        values = [score.score for _, score in found]
        mean, split = statistics.fmean(values), measure(at.split).split
        right = [self._records.of(run.folder, at.name).get(split) for run, _ in found]
        known = [one for one in right if one is not None]
        if len(known) == len(found):
            return Mean(mean, score_interval(together(known)), len(values))
        if len(values) == 1:
            return Mean(mean, _of_one(at, *found[0]), 1)
        seeds = mean_of_seeds(values)
        if not seeds.error:  # they are all alike, which says nothing of chance
            return Mean(mean, None, len(values))
        low, high = max(0.0, seeds.interval.low), min(1.0, seeds.interval.high)
        return Mean(mean, Interval(low, high), len(values))

    def last(self, arm: Arm) -> Stage | None:
        """The last stage of a method that is scored on the first of the splits."""
        stages = (Stage(arm, name, self.split or "") for name in reversed(arm.stages()))
        return next((one for one in stages if self.split and one.scored()), None)

    def difference(self, first: Stage, second: Stage) -> Difference | None:
        """``first - second`` over the seeds that both have; None without any."""
        split = measure(first.split).split
        return difference(second.by_seed(), first.by_seed(), split, self._records)

    def differences(self, baseline: Arm) -> dict[str, Difference]:
        """Of each other method's last stage from the baseline's; p corrected by Holm."""
        base = self.last(baseline)
        others = [arm for arm in self.arms if arm is not baseline]
        lasts = [self.last(arm) for arm in others]
        changes = [self.difference(one, base) if base and one else None for one in lasts]
        found = corrected(changes)
        return {arm.name: one for arm, one in zip(others, found, strict=True) if one is not None}


def _of_one(at: Stage, run: Entry, score: Score) -> Interval | None:
    """Of a run without a record of what was right: Wilson's, of accuracy."""
    if score.interval is not None:
        return Interval(*score.interval)
    sizes = run.finished.provenance.get("data", {}).get("sizes", {})
    n = score.n or sizes.get(measure(at.split).split)
    return wilson(round(score.score * n), n) if run.metric == "accuracy" and n else None
