"""Scores of methods with intervals, and how they differ: over examples where these are recorded."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import IntArray
from harness.errors import CorruptRunError
from harness.metrics import Score
from harness.record import layout
from harness.record.folder import RunFolder
from harness.record.outcomes import COLUMNS
from harness.report.page.arms import SPLITS, Arm, Kept
from harness.stats.holm import holm
from harness.stats.intervals import score_interval, wilson
from harness.stats.outcomes import Interval, Outcomes
from harness.stats.paired import compare
from harness.stats.seeds import mean_of_seeds

RECORDED = {"inductive": "test", "transductive": "train"}
"""The split of a score in the record of what was right."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A mean over seeds, and its 95 % interval where there is one."""

    value: float
    interval: Interval | None
    seeds: int

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Of the interval."""
        return (None, None) if self.interval is None else (self.interval.low, self.interval.high)


@dataclass(frozen=True, slots=True)
class Difference:
    """One score less another, run by run of the same seeds.

    Attributes:
        mean: in [-1, 1].
        low, high, p: 95 % interval and two-sided p; None where nothing can be tested.
        seeds: pairs of runs.
        examples: how many the two were compared on; 0: only their scores.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    seeds: int
    examples: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a method, on a split: a field of ``StageResult``."""

    arm: Arm
    name: str
    split: str


@dataclass(frozen=True)
class Scores:
    """What the runs of one task scored.

    Attributes:
        arms: the methods.
    """

    arms: Sequence[Arm]
    _examples: dict[str, list[Any]] = field(default_factory=dict)
    _right: dict[tuple[Path, str], Mapping[str, tuple[int, IntArray]]] = field(default_factory=dict)

    @cached_property
    def split(self) -> str | None:
        """The first of ``SPLITS`` that any stage was scored on; None without gold labels."""
        stages = [stage for arm in self.arms for run in arm.runs for stage in run.result.stages]
        known = (one for one in SPLITS if any(getattr(s, one) is not None for s in stages))
        return next(known, None)

    def measured(self, at: Stage) -> Measured | None:
        """A score with its interval: of seeds and examples, of either, or none."""
        found: list[Score] = [
            one for of in at.arm.at(at.name) if (one := getattr(of, at.split)) is not None
        ]
        if not found:
            return None
        values = [one.score for one in found]
        mean = statistics.fmean(values)
        right = self._outcomes(at, at.arm.runs)
        if right is not None:
            return Measured(mean, score_interval(right[1]), len(values))
        if len(values) == 1:
            return Measured(mean, _of_one(at, found[0]), 1)
        seeds = mean_of_seeds(values)
        if not seeds.error:  # they are all alike, which says nothing of chance
            return Measured(mean, None, len(values))
        low, high = max(0.0, seeds.interval.low), min(1.0, seeds.interval.high)
        return Measured(mean, Interval(low, high), len(values))

    def last(self, arm: Arm) -> Stage | None:
        """The last stage of a method that is scored on the first of the splits."""
        for name in reversed(arm.stages()):
            if self.split and any(getattr(one, self.split) is not None for one in arm.at(name)):
                return Stage(arm, name, self.split)
        return None

    def difference(self, first: Stage, second: Stage) -> Difference | None:
        """``first - second`` over the seeds that both have; None without any."""
        pairs = _pairs(first, second)
        if not pairs:
            return None
        values = [_score(a, first) - _score(b, second) for a, b in pairs]
        mean = statistics.fmean(values)
        ours = self._outcomes(first, [a for a, _ in pairs])
        theirs = self._outcomes(second, [b for _, b in pairs])
        if ours is not None and theirs is not None and ours[0] == theirs[0]:
            found = compare(ours[1], theirs[1])
            ends = found.interval.low, found.interval.high
            return Difference(mean, *ends, found.p, len(pairs), found.examples)
        if len(pairs) == 1 or not (over := mean_of_seeds(values)).error:
            return Difference(mean, None, None, None, len(pairs), 0)
        return Difference(mean, over.interval.low, over.interval.high, over.p, len(pairs), 0)

    def differences(self, baseline: Arm) -> dict[str, Difference]:
        """Of each other method's last stage from the baseline's; p corrected by Holm."""
        base = self.last(baseline)
        found: dict[str, Difference] = {}
        for arm in self.arms:
            mine = self.last(arm)
            if arm is not baseline and mine is not None and base is not None:
                one = self.difference(mine, base)
                found |= {} if one is None else {arm.name: one}
        tested = [one.p for one in found.values() if one.p is not None]
        corrected = iter(holm(tested))
        return {
            name: one if one.p is None else replace(one, p=next(corrected))
            for name, one in found.items()
        }

    def _outcomes(self, at: Stage, runs: Sequence[Kept]) -> tuple[int, Outcomes] | None:
        """Which examples, and what each run got right on them; None unless all know the same."""
        split = RECORDED.get(at.split)
        found = [self._recorded(run, at.name).get(str(split)) for run in runs]
        known = [one for one in found if one is not None]
        if len(known) < len(found) or len({number for number, _ in known}) != 1:
            return None
        return known[0][0], Outcomes(np.stack([counts for _, counts in known]).astype(np.int64))

    def _recorded(self, run: Kept, stage: str) -> Mapping[str, tuple[int, IntArray]]:
        """By split: the number of its examples, and counts int16 ``[n, k]`` in their order."""
        key = run.path, stage
        if key not in self._right:
            folder, name = RunFolder(run.path), layout.outcomes(stage)
            try:
                made = folder.read(name, self._read) if folder.has(name) else {}
            except CorruptRunError:
                made = {}
            self._right[key] = made
        return self._right[key]

    def _read(self, path: Path) -> dict[str, tuple[int, IntArray]]:
        """As ``record.outcomes``, but without Python objects: there may be hundreds of files."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        names = [name for name in COLUMNS[3] if name in table.column_names]
        found = {}
        for split in pc.unique(table["split"]).to_pylist():
            part = table.filter(pc.equal(table["split"], split))
            counts = np.stack([part[name].to_numpy() for name in names], axis=1).astype(np.int16)
            found[split] = self._placed(split, part["id"].combine_chunks(), counts)
        return found

    def _placed(self, split: str, ids: Any, counts: IntArray) -> tuple[int, IntArray]:
        """The counts in the order in which the same examples were first seen."""
        import pyarrow.compute as pc

        known = self._examples.setdefault(split, [])
        for number, earlier in enumerate(known):
            if len(earlier) == len(ids):
                rows = pc.index_in(earlier, value_set=ids)
                if not rows.null_count:
                    return number, counts[rows.to_numpy()]
        known.append(ids)
        return len(known) - 1, counts


def _pairs(first: Stage, second: Stage) -> list[tuple[Kept, Kept]]:
    """Runs of the same seed; of several with a seed the first."""
    others = {run.seed: run for run in reversed(second.arm.runs) if _has(run, second)}
    mine = {run.seed: run for run in reversed(first.arm.runs) if _has(run, first)}
    return [(run, others[seed]) for seed, run in sorted(mine.items()) if seed in others]


def _has(run: Kept, at: Stage) -> bool:
    stages = [one for one in run.result.stages if one.stage == at.name]
    return bool(stages) and getattr(stages[0], at.split) is not None


def _score(run: Kept, at: Stage) -> float:
    (stage,) = [one for one in run.result.stages if one.stage == at.name]
    return float(getattr(stage, at.split).score)


def _of_one(at: Stage, score: Score) -> Interval | None:
    """Of a run without a record of what was right: Wilson's, of accuracy."""
    if score.interval is not None:
        return Interval(*score.interval)
    sizes = at.arm.first.provenance.get("data", {}).get("sizes", {})
    n = score.n or sizes.get(RECORDED.get(at.split))
    if at.arm.first.metric != "accuracy" or not n:
        return None
    return wilson(round(score.score * n), n)
