"""From runs to a table: what names a row, what a column, and how a row differs from another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import CommandError
from harness.report.differences import Measured, Records, corrected, difference
from harness.report.measures import SHARE_UNIT, Measure, measure
from harness.report.rows.entries import UNSET, Entry, key_of
from harness.report.rows.naming import NAMING, STAGE, Names, differs, named, natural
from harness.report.rows.notes import marks_of, no_answers, notes_of
from harness.report.tables import Cell, Table
from harness.results import StageResult

SEEDS = "seeds"
Values = dict[tuple[Names, str], dict[int, Measured]]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table shows.

    Attributes:
        rows: keys that name a row; empty: those that differ.
        columns: ``stage``, or a key.
        stage: which one, where columns are something else; None: the last with a value.
        stages: the columns that are shown of ``stage``; empty: all.
        metric: a name of ``measures.METRICS``.
        baseline: a row's name; None: no differences.
        labels: rows of a recipe, in its order, also those without a run.
    """

    rows: tuple[str, ...] = ()
    columns: str = STAGE
    stage: str | None = None
    stages: tuple[str, ...] = ()
    metric: str = "pool"
    baseline: str | None = None
    labels: tuple[str, ...] = ()


def make_table(entries: Sequence[Entry], layout: Layout | None = None) -> Table:
    """Put runs together; those that differ only in the seed are one row.

    Raises:
        CommandError: for an unknown key, metric, stage or baseline; the line lists what exists.
    """
    layout = layout or Layout()
    shown = measure(layout.metric)
    column = STAGE if layout.columns == STAGE else key_of(layout.columns, entries, "--columns")
    keys, names = named(entries, layout.rows, column)
    values = _values(entries, names, shown, column, layout)
    known = sorted({one.stage for entry in entries for one in entry.stages}, key=order)
    if layout.stage not in (None, *known):
        raise CommandError(
            f"--stage {layout.stage}: no such stage; these exist: {', '.join(known)}"
        )
    columns = _columns(values, column)
    rows = _ordered(names, layout, column)
    cells = {at: Cell.of([one.value for one in of.values()]) for at, of in values.items()}
    states: dict[Names, set[bool]] = {}
    for entry, name in zip(entries, names, strict=True):
        states.setdefault(name, set()).add(entry.state == "finished")
    compared = _compare(cells, values, rows, columns, layout, shown, states)
    table = Table(
        title=_title(entries, shown, keys),
        keys=keys,
        columns=tuple(columns),
        rows=tuple((row, tuple(cells.get((row, one)) for one in columns)) for row in rows),
        percent=shown.unit == SHARE_UNIT,
        compared=frozenset(compared),
        by=column,
        metric=shown.name,
        marks=tuple(
            marks_of([e for e, name in zip(entries, names, strict=True) if name == row], shown)
            for row in rows
        ),
    )
    table = _with_seeds(table)
    said = layout.baseline, layout.stage, layout.stages
    return replace(table, notes=notes_of(table, entries, shown, *said))


def _values(
    entries: Sequence[Entry],
    names: Sequence[Names],
    shown: Measure,
    column: str,
    layout: Layout,
) -> Values:
    """By row and column the value of each seed."""
    found: Values = {}
    wanted = layout.stages if layout.stage is None else (layout.stage,)
    for entry, name in zip(entries, names, strict=True):
        stages = [one for one in entry.stages if _has(one, shown)]
        if column != STAGE:
            stages = [one for one in stages if layout.stage in (None, one.stage)][-1:]
        elif wanted:
            stages = [one for one in stages if one.stage in wanted]
        for one in stages:
            value = shown.read(one)
            if value is not None:
                at = one.stage if column == STAGE else entry.keys.get(column, UNSET)
                measured = Measured(value, one.stage, entry.folder)
                found.setdefault((name, at), {})[entry.seed] = measured
    return found


def _has(stage: StageResult, shown: Measure) -> bool:
    return shown.read(stage) is not None and not no_answers(stage, shown)


def order(stage: str) -> int:
    """Where a stage stands: R0, R1, R2, ..."""
    return int(stage.removeprefix("R"))


def _columns(values: Values, column: str) -> list[str]:
    found = list(dict.fromkeys(at for _, at in values))
    if column == STAGE:
        return sorted(found, key=order)
    try:
        return sorted(found, key=float)
    except ValueError:
        return found


def _ordered(names: Sequence[Names], layout: Layout, column: str) -> list[Names]:
    """The rows: by the recipe where there is one, else by name."""
    if not layout.labels or layout.rows:
        return sorted(dict.fromkeys(names), key=natural)
    known = [(label,) for label in layout.labels] if column == STAGE else []
    return list(dict.fromkeys([*known, *names]))


def _compare(
    cells: dict[tuple[Names, str], Cell],
    values: Values,
    rows: Sequence[Names],
    columns: Sequence[str],
    layout: Layout,
    shown: Measure,
    finished: Mapping[Names, Collection[bool]],
) -> list[str]:
    """Put the differences from the baseline into the cells; the columns that have them.

    Of stages each row's last one is compared with the baseline's last one: rows may have fewer
    rounds. A row with a stopped run is compared at the stage that it has reached, and so are all
    rows where no run of the baseline is finished (``finished`` says it of each row's runs).
    """
    if layout.baseline is None:
        return []
    base = _baseline(rows, layout.baseline)
    held = {row: [one for one in columns if (row, one) in cells] for row in rows}
    stages = layout.columns == STAGE
    if stages:
        held = {row: of[-1:] for row, of in held.items()}
    ends = held[base] if stages and True in finished.get(base, ()) else []
    places = [
        (row, at, ends[0] if ends and False not in finished[row] else at)
        for row, of in held.items() for at in of if row != base
    ]  # fmt: skip
    records = Records()
    found = [
        difference(values.get((base, beside), {}), values[row, at], shown.split, records)
        for row, at, beside in places
    ]
    for (row, at, _), one in zip(places, corrected(found), strict=True):
        cells[row, at] = replace(cells[row, at], difference=one)
    return list(columns[-1:] if stages else columns)


def _baseline(rows: Sequence[Names], name: str) -> Names:
    found = [row for row in rows if name == " ".join(filter(None, row))]
    found = found or [row for row in rows if name in row]
    if len(found) != 1:
        known = "; ".join(" ".join(filter(None, row)) for row in rows)
        problem = "several rows are called so" if found else "no such row"
        raise CommandError(f"--baseline {name!r}: {problem}; the rows are: {known}")
    return found[0]


def _title(entries: Sequence[Entry], shown: Measure, keys: Sequence[str]) -> str:
    metrics = {entry.metric for entry in entries if entry.metric}
    alike = [
        entries[0].keys.get(key, UNSET)
        for key in NAMING
        if key not in keys and not differs(entries, key)
    ]
    said = " + ".join(alike)
    return f"{said}: {shown.title(metrics)}" if said else shown.title(metrics)


def _with_seeds(table: Table) -> Table:
    """The table with a column of how many seeds a row has, where that differs."""
    counts = [{cell.n for cell in cells if cell} for _, cells in table.rows]
    if len(set().union(*counts)) < 2:
        return table
    said = ["–".join(map(str, sorted({min(of), max(of)}))) if of else "0" for of in counts]
    rows = tuple(((*names, n), cells) for (names, cells), n in zip(table.rows, said, strict=True))
    return replace(table, keys=(*table.keys, SEEDS), rows=rows)
