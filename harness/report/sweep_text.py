"""The cells of a sweep's table as text, for the screen and for Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from harness.files.escaping import markdown_row
from harness.report.differences import Difference
from harness.report.sweep_scores import ScoredRow, SweepTable
from harness.report.tables import COMPARED, p_text


def title(name: str, table: SweepTable) -> str:
    """What the table shows."""
    many = f", mean ± sd of {table.seeds} seeds" if table.seeds > 1 else ""
    return f"{name}: {table.metric} in %{many}"


def header(table: SweepTable) -> list[str]:
    """The names of the columns."""
    return ["row", *table.stages, *(COMPARED if _compares(table) else ())]


def cells(table: SweepTable) -> list[list[str]]:
    """The rows."""
    return [
        [
            row.label + (" (supervised)" if row.supervised else ""),
            *(_cell(row.values[stage]) for stage in table.stages),
            *(_compared(row.difference) if _compares(table) else ()),
        ]
        for row in table.rows
    ]


def notes(table: SweepTable) -> list[str]:
    """What to know of the columns, one line each."""
    found = [_labelled(table)] if table.partial else []
    if _compares(table):
        compared = [row.difference for row in table.rows if row.difference is not None]
        paired = "by example and seed" if all(one.examples for one in compared) else "by seed"
        found.append(
            f"Δ: the last stage less that of {table.baseline!r}, paired {paired}; p corrected for "
            "the number of rows (Holm)"
        )
    return found


def markdown(name: str, tables: Sequence[SweepTable]) -> str:
    """The tables, each with its title and its notes."""
    parts = []
    for table in tables:
        names = header(table)
        rows = [names, ["---", *("---:" for _ in names[1:])], *cells(table)]
        parts += [title(name, table), "\n".join(map(markdown_row, rows)), *notes(table)]
    return "\n\n".join(parts) + "\n"


def _compares(table: SweepTable) -> bool:
    return any(row.difference is not None for row in table.rows)


def _cell(values: Mapping[int, float]) -> str:
    if not values:
        return ""
    mean = f"{100 * statistics.fmean(values.values()):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values.values()):.1f}" if len(values) > 1 else mean


def _compared(difference: Difference | None) -> tuple[str, str, str]:
    if difference is None:
        return "", "", ""
    mean = f"{100 * difference.mean:+.1f}"
    if difference.low is None or difference.high is None or difference.p is None:
        return mean, "", ""
    interval = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
    return mean, interval, p_text(difference.p)


def _labelled(table: SweepTable) -> str:
    """Which share of the pool has been annotated by each stage, where rows agree."""
    shares = {stage: _shares(table.rows, stage) for stage in table.stages}
    said = [f"{stage} {of}" for stage, of in shares.items() if of]
    return f"share of the pool that was annotated: {', '.join(said)}"


def _shares(rows: Sequence[ScoredRow], stage: str) -> str:
    found = sorted({round(100 * row.labels[stage]) for row in rows if stage in row.labels})
    return "" if not found else " / ".join(f"{share} %" for share in found)
