"""The table of a sweep: a row a kind of run, a column a stage, and how rows differ from one.

Scores are compared example by example and seed by seed (``comparison``), other metrics seed by
seed; p is corrected by Holm for the number of rows.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from harness.errors import CommandError, nearest
from harness.record.finished import FinishedRun
from harness.report.differences import Difference, Measured, Records, corrected, difference
from harness.report.measures import METRICS, measure


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
        metric: a name of ``measures.METRICS``.
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
    runs: Mapping[str, Mapping[int, FinishedRun]],
    metric: str,
    *,
    baseline: str | None,
    columns: Sequence[str] = (),
    seeds: int = 1,
) -> SweepTable:
    """Put the finished runs of a sweep together.

    Args:
        runs: by label and seed, in the order of the rows; a row may have none.
        metric: a name of ``measures.METRICS``.
        baseline: label of the row to compare with.
        columns: stages to show; empty: all.
        seeds: how many were asked for.

    Raises:
        CommandError: if there is no such metric.
    """
    if metric not in METRICS:
        raise CommandError(f"metric {metric!r}: {nearest(metric, METRICS)}")
    found = {
        stage.stage for row in runs.values() for run in row.values() for stage in run.result.stages
    }
    wanted = [one for one in sorted(found, key=_order) if not columns or one in columns]
    rows = [_scored(label, of, metric, wanted) for label, of in runs.items()]
    stages = [one for one in wanted if any(row.values[one] for row in rows)]
    base = next((row for row in rows if row.label == baseline), None)
    if base is not None:
        rows = _compared(rows, base, partial(_difference, runs, metric, base))
    return SweepTable(metric, tuple(stages), baseline, seeds, tuple(rows))


def _scored(
    label: str, runs: Mapping[int, FinishedRun], metric: str, stages: Sequence[str]
) -> ScoredRow:
    values: dict[str, dict[int, float]] = {stage: {} for stage in stages}
    shares: dict[str, list[float]] = {stage: [] for stage in stages}
    for seed, run in runs.items():
        for stage in run.result.stages:
            value = METRICS[metric](stage)
            if stage.stage in values and value is not None:
                values[stage.stage][seed] = value
                shares[stage.stage].append(1 - stage.unlabelled / stage.n)
    labels = {stage: statistics.fmean(of) for stage, of in shares.items() if of}
    supervised = any(run.result.supervised for run in runs.values())
    return ScoredRow(label, values, labels, None, supervised)


def _compared(
    rows: Sequence[ScoredRow], base: ScoredRow, difference: Callable[[ScoredRow], Difference | None]
) -> list[ScoredRow]:
    differences = corrected([None if row is base else difference(row) for row in rows])
    return [replace(row, difference=one) for row, one in zip(rows, differences, strict=True)]


def _difference(
    runs: Mapping[str, Mapping[int, FinishedRun]], metric: str, base: ScoredRow, row: ScoredRow
) -> Difference | None:
    first, second = (_measured(runs[one.label], *_last(one)) for one in (base, row))
    return difference(first, second, measure(metric).split, Records())


def _measured(
    runs: Mapping[int, FinishedRun], stage: str, values: Mapping[int, float]
) -> dict[int, Measured]:
    return {seed: Measured(value, stage, runs[seed].folder) for seed, value in values.items()}


def _last(row: ScoredRow) -> tuple[str, Mapping[int, float]]:
    """The last stage of the row that has any value, and its values."""
    return next(((stage, of) for stage, of in reversed(list(row.values.items())) if of), ("", {}))


def _row_json(row: ScoredRow) -> dict[str, Any]:
    difference = row.difference
    return {
        "label": row.label,
        "supervised": row.supervised,
        "labelled": row.labels,
        "stages": {stage: _cell_json(list(of.values())) for stage, of in row.values.items()},
        "difference": difference and asdict(difference),
    }


def _cell_json(values: Sequence[float]) -> dict[str, Any] | None:
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "sd": deviation, "n": len(values)}


def _order(stage: str) -> int:
    return int(stage.removeprefix("R"))
