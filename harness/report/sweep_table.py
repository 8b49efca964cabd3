"""The table of a sweep: a row a kind of run, a column a stage, and how rows differ from one.

Unlike in ``grouping``, a row is compared by its own last stage: rows may have fewer rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.errors import CommandError, nearest
from harness.files.escaping import markdown_row
from harness.record.finished import FinishedRun
from harness.report.differences import Difference, Measured, Records, corrected, difference
from harness.report.measures import METRICS, SHARE_UNIT, measure
from harness.report.tables import COMPARED, NONE, Cell

Runs = Mapping[str, Mapping[int, FinishedRun]]
"""By label and seed, in the order of the rows."""


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A row.

    Attributes:
        label: its name.
        cells: by stage, of those that have the metric; the last one has the difference.
        labels: of each stage, the mean share of the pool that the annotator has been asked for.
        supervised: whether its annotations are made with gold labels.
    """

    label: str
    cells: Mapping[str, Cell]
    labels: Mapping[str, float]
    supervised: bool

    @property
    def last(self) -> Cell | None:
        """The cell of the last stage that has one."""
        return next(reversed(list(self.cells.values())), None)

    @property
    def difference(self) -> Difference | None:
        """None for the baseline, without one, or without a run of a common seed."""
        return None if self.last is None else self.last.difference


@dataclass(frozen=True, slots=True)
class SweepTable:
    """One metric of a sweep.

    Attributes:
        metric: a name of ``measures.METRICS``.
        stages: the columns.
        baseline: the row that the others are compared with.
        seeds: how many were asked for.
        scores: the metrics of the runs' tasks.
    """

    metric: str
    stages: tuple[str, ...]
    baseline: str | None
    seeds: int
    rows: tuple[ScoredRow, ...]
    scores: frozenset[str] = frozenset()

    def title(self, name: str) -> str:
        """What the table shows."""
        many = f", mean ± sd of {self.seeds} seeds" if self.seeds > 1 else ""
        return f"{name}: {measure(self.metric).title(set(self.scores))}{many}"

    def header(self) -> list[str]:
        """The names of the columns."""
        return ["row", *self.stages, *(COMPARED if self._compares() else ())]

    def texts(self) -> list[list[str]]:
        """The rows; a dash where there is no value."""
        percent = measure(self.metric).unit == SHARE_UNIT
        found = []
        for row in self.rows:
            cells = [row.cells.get(stage) for stage in self.stages]
            name = row.label + (" (supervised)" if row.supervised else "")
            found.append([name, *(one.text(percent=percent) if one else NONE for one in cells)])
            if self._compares():
                found[-1] += row.last.compared(percent=percent) if row.last else [NONE] * 3
        return found

    def notes(self) -> list[str]:
        """What to know of the columns, one line each."""
        said = []
        if any(share < 1 for row in self.rows for share in row.labels.values()):
            shares = {stage: self._shares(stage) for stage in self.stages}
            listed = ", ".join(f"{stage} {of}" for stage, of in shares.items() if of)
            said.append(f"share of the pool that was annotated: {listed}")
        found = [row.difference for row in self.rows if row.difference is not None]
        if found:
            paired = "by example and seed" if all(one.examples for one in found) else "by seed"
            said.append(
                f"Δ: the last stage less that of {self.baseline!r}, paired {paired}; p corrected "
                "for the number of rows (Holm)"
            )
        return said

    def as_json(self) -> dict[str, Any]:
        """Plain values; shares, not per cent."""
        rows = [
            {
                "label": row.label,
                "supervised": row.supervised,
                "labelled": row.labels,
                "stages": {stage: _cell_json(row.cells.get(stage)) for stage in self.stages},
                "difference": row.difference and asdict(row.difference),
            }
            for row in self.rows
        ]
        return {"metric": self.metric, "baseline": self.baseline, "rows": rows}

    def _compares(self) -> bool:
        return any(row.difference is not None for row in self.rows)

    def _shares(self, stage: str) -> str:
        """Which shares of the pool the rows' annotators were asked for."""
        shares = {round(100 * row.labels[stage]) for row in self.rows if stage in row.labels}
        return " / ".join(f"{share} %" for share in sorted(shares))


def sweep_table(
    runs: Runs,
    metric: str,
    *,
    baseline: str | None,
    columns: Sequence[str] = (),
    seeds: int = 1,
) -> SweepTable:
    """Put the finished runs of a sweep together.

    Args:
        runs: a row may have none.
        metric: a name of ``measures.METRICS``.
        baseline: label of the row to compare with.
        columns: stages to show; empty: all.
        seeds: how many were asked for.

    Raises:
        CommandError: if there is no such metric.
    """
    if metric not in METRICS:
        raise CommandError(f"metric {metric!r}: {nearest(metric, METRICS)}")
    every = {one.stage for of in runs.values() for run in of.values() for one in run.result.stages}
    wanted = sorted(every.intersection(columns or every), key=lambda name: int(name[1:]))
    values = {label: _values(of, metric, wanted) for label, of in runs.items()}
    lasts = {label: next(reversed(of.values()), {}) for label, of in values.items()}
    rows, records = [], Records()
    compared = [
        None
        if label == baseline or not lasts.get(baseline or "")
        else difference(lasts[baseline or ""], last, measure(metric).split, records)
        for label, last in lasts.items()
    ]
    for (label, of), change in zip(values.items(), corrected(compared), strict=True):
        cells = {stage: Cell.of([one.value for one in each.values()]) for stage, each in of.items()}
        if cells:
            last = next(reversed(cells))
            cells[last] = replace(cells[last], difference=change)
        supervised = any(run.result.supervised for run in runs[label].values())
        rows.append(ScoredRow(label, cells, _labelled(runs[label], list(cells)), supervised))
    stages = tuple(one for one in wanted if any(one in row.cells for row in rows))
    scores = frozenset(run.result.metric for of in runs.values() for run in of.values())
    return SweepTable(metric, stages, baseline, seeds, tuple(rows), scores)


def markdown(name: str, tables: Sequence[SweepTable]) -> str:
    """The tables, each with its title and its notes."""
    parts = []
    for table in tables:
        names = table.header()
        rows = [names, ["---", *("---:" for _ in names[1:])], *table.texts()]
        parts += [table.title(name), "\n".join(map(markdown_row, rows)), *table.notes()]
    return "\n\n".join(parts) + "\n"


def _values(
    runs: Mapping[int, FinishedRun], metric: str, stages: Sequence[str]
) -> dict[str, dict[int, Measured]]:
    """By stage and seed, without stages that no run has a value of."""
    found: dict[str, dict[int, Measured]] = {stage: {} for stage in stages}
    for seed, run in runs.items():
        for stage in run.result.stages:
            value = METRICS[metric](stage)
            if stage.stage in found and value is not None:
                found[stage.stage][seed] = Measured(value, stage.stage, run.folder)
    return {stage: of for stage, of in found.items() if of}


def _labelled(runs: Mapping[int, FinishedRun], stages: Sequence[str]) -> dict[str, float]:
    shares: dict[str, list[float]] = {stage: [] for stage in stages}
    for run in runs.values():
        for one in run.result.stages:
            if one.stage in shares:
                shares[one.stage].append(1 - one.unlabelled / one.n)
    return {stage: statistics.fmean(of) for stage, of in shares.items()}


def _cell_json(cell: Cell | None) -> dict[str, Any] | None:
    return None if cell is None else {"mean": cell.mean, "sd": cell.deviation, "n": cell.n}
