"""The table of a sweep: a row a kind of run, a column a stage, and how rows differ from one.

A difference is taken seed by seed. Runs of different seeds also draw other examples, so the seeds
are what is compared: a mean with Student's interval and test over them, p corrected by Holm for the
number of rows.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import CommandError, nearest
from harness.report.tables import METRICS
from harness.results import RunResult
from harness.stats.holm import holm

LEVEL = 0.95
EQUAL = 1e-12
"""Differences that are nearer to each other are the same: so few values say nothing of chance."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row's last stage less the baseline's, over seeds that both have.

    Attributes:
        mean: in [-1, 1].
        low, high: of the 95 % interval; None of a single seed, or of seeds that all differ alike.
        p: two-sided, corrected for the rows of the table; None likewise.
        n: seeds.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    n: int


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A row.

    Attributes:
        label: its name.
        values: of each stage the metric of each seed's run; empty where there is none.
        labels: of each stage, the mean share of the pool that the annotator has been asked for.
        difference: None for the baseline, without one, or without a run of a common seed.
        supervised: whether its annotations are made with gold labels.
    """

    label: str
    values: Mapping[str, Mapping[int, float]]
    labels: Mapping[str, float]
    difference: Difference | None
    supervised: bool


@dataclass(frozen=True, slots=True)
class SweepTable:
    """One metric of a sweep.

    Attributes:
        metric: a name of ``tables.METRICS``.
        stages: the columns.
        baseline: the row that the others are compared with.
        seeds: how many were asked for.
        partial: whether in some row only a part of the pool was annotated: then the share counts.
    """

    metric: str
    stages: tuple[str, ...]
    baseline: str | None
    seeds: int
    rows: tuple[ScoredRow, ...]

    @property
    def partial(self) -> bool:
        """Whether the annotator was asked for a part of the pool only, in some stage."""
        return any(share < 1 for row in self.rows for share in row.labels.values())

    def as_json(self) -> dict[str, Any]:
        """Plain values; shares, not per cent."""
        return {
            "metric": self.metric,
            "baseline": self.baseline,
            "rows": [_row_json(row) for row in self.rows],
        }


def sweep_table(
    runs: Mapping[str, Mapping[int, RunResult]],
    metric: str,
    *,
    baseline: str | None,
    columns: Sequence[str] = (),
    seeds: int = 1,
) -> SweepTable:
    """Put the finished runs of a sweep together.

    Args:
        runs: by label and seed, in the order of the rows; a row may have none.
        metric: a name of ``tables.METRICS``.
        baseline: label of the row to compare with.
        columns: stages to show; empty: all.
        seeds: how many were asked for.

    Raises:
        CommandError: if there is no such metric.
    """
    if metric not in METRICS:
        raise CommandError(f"metric {metric!r}: {nearest(metric, METRICS)}")
    found = {stage.stage for row in runs.values() for run in row.values() for stage in run.stages}
    wanted = [one for one in sorted(found, key=_order) if not columns or one in columns]
    rows = [_scored(label, of, metric, wanted) for label, of in runs.items()]
    stages = [one for one in wanted if any(row.values[one] for row in rows)]
    base = next((row for row in rows if row.label == baseline), None)
    if base is not None:
        rows = _compared(rows, base)
    return SweepTable(metric, tuple(stages), baseline, seeds, tuple(rows))


def _scored(
    label: str, runs: Mapping[int, RunResult], metric: str, stages: Sequence[str]
) -> ScoredRow:
    values: dict[str, dict[int, float]] = {stage: {} for stage in stages}
    shares: dict[str, list[float]] = {stage: [] for stage in stages}
    for seed, run in runs.items():
        for stage in run.stages:
            value = METRICS[metric](stage)
            if stage.stage in values and value is not None:
                values[stage.stage][seed] = value
                shares[stage.stage].append(1 - stage.unlabelled / stage.n)
    labels = {stage: statistics.fmean(of) for stage, of in shares.items() if of}
    supervised = any(run.supervised for run in runs.values())
    return ScoredRow(label, values, labels, None, supervised)


def _compared(rows: Sequence[ScoredRow], base: ScoredRow) -> list[ScoredRow]:
    differences = [None if row is base else _difference(row, base) for row in rows]
    tested = [one.p for one in differences if one is not None and one.p is not None]
    corrected = iter(holm(tested))
    return [
        replace(row, difference=one and (one if one.p is None else replace(one, p=next(corrected))))
        for row, one in zip(rows, differences, strict=True)
    ]


def _difference(row: ScoredRow, base: ScoredRow) -> Difference | None:
    mine, theirs = _last(row), _last(base)
    each = [mine[seed] - theirs[seed] for seed in mine if seed in theirs]
    if not each:
        return None
    mean, n = statistics.fmean(each), len(each)
    error = statistics.stdev(each) / n**0.5 if n > 1 else 0.0
    if n == 1 or (error < EQUAL and abs(mean) > EQUAL):
        return Difference(mean, None, None, None, n)
    from scipy.stats import t

    reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * error
    p = float(2 * t.sf(abs(mean) / error, n - 1)) if error >= EQUAL else 1.0
    return Difference(mean, mean - reach, mean + reach, p, n)


def _last(row: ScoredRow) -> Mapping[int, float]:
    """The values of the last stage of the row that has any."""
    return next((of for of in reversed(list(row.values.values())) if of), {})


def _row_json(row: ScoredRow) -> dict[str, Any]:
    difference = row.difference
    return {
        "label": row.label,
        "supervised": row.supervised,
        "labelled": row.labels,
        "stages": {stage: _cell_json(list(of.values())) for stage, of in row.values.items()},
        "difference": difference
        and {name: getattr(difference, name) for name in ("mean", "low", "high", "p", "n")},
    }


def _cell_json(values: Sequence[float]) -> dict[str, Any] | None:
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "sd": deviation, "n": len(values)}


def _order(stage: str) -> int:
    return int(stage.removeprefix("R"))
