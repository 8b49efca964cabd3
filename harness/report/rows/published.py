"""Published figures as rows of a table, beside ours and marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.report.tables import MARKS, Cell, Table

STAGES = {
    "zero-shot": "R0",
    "few-shot": "R1",
    "annotator": "R3",
    "student": "R4",
    **{f"R{n}": f"R{n}" for n in range(5)},
}
"""Where a figure stands among stages. A gain is none, and other kinds have no stage of ours."""
SETTINGS = {"pool": "transductive", "test": "test"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One published score, in [0, 1]."""

    task: str
    method: str
    stage: str
    setting: str
    score: float
    source: str


def figures(task: str, declared: Mapping[str, Any]) -> list[Figure]:
    """The figures of a task's declaration."""
    return [
        Figure(task, one["method"], one["stage"], one["setting"], one["score"] / 100, one["source"])
        for one in declared.get("published", ())
        if one["stage"] != "gain"
    ]


def with_published(table: Table, found: Sequence[Figure], tasks: Sequence[str]) -> Table:
    """The table with a row for each method whose figures are of its metric and columns."""
    rows: dict[tuple[str, ...], dict[str, Figure]] = {}
    for one in found:
        if SETTINGS.get(table.metric) == one.setting and (column := _column(table, one)):
            rows.setdefault(_names(table, one, tasks), {}).setdefault(column, one)
    if not rows:
        return replace(table, notes=(*table.notes, "no published figures of this metric"))
    sources = dict.fromkeys(one.source for of in rows.values() for one in of.values())
    sign, text = MARKS["published"]
    cells = tuple(
        (names, tuple(_cell(of.get(column)) for column in table.columns))
        for names, of in rows.items()
    )
    return replace(
        table,
        rows=(*table.rows, *cells),
        marks=(*table.marks, *((("published",),) * len(cells))),
        notes=(*table.notes, f"{sign} {text}: {'; '.join(sources)}"),
    )


def _column(table: Table, one: Figure) -> str | None:
    column = {"stage": STAGES.get(one.stage), "task": one.task}.get(table.by)
    return column if column in table.columns else None


def _names(table: Table, one: Figure, tasks: Sequence[str]) -> tuple[str, ...]:
    """The keys of the row: its method in the first that is not the task."""
    method = one.method if table.by == "stage" else f"{one.method}, {one.stage}"
    free = [place for place, key in enumerate(table.keys) if key != "task"]
    if table.by != "task" and len(tasks) > 1 and ("task" not in table.keys or not free):
        method = f"{one.task}: {method}"
    at = free[0] if free else 0
    names = [one.task if key == "task" else "" for key in table.keys]
    names[at] = method
    return tuple(names)


def _cell(one: Figure | None) -> Cell | None:
    return None if one is None else Cell(one.score, None, 0)
