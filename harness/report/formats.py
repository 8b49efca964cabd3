"""Tables as Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from harness.files.escaping import latex_row, markdown, markdown_row, spreadsheet
from harness.report.tables import Cell, Table


def _markdown(table: Table) -> str:
    numbers = len(table.header) - len(table.keys)
    lines = [
        markdown_row(table.header),
        f"| {' | '.join([*('---' for _ in table.keys), *('---:' for _ in range(numbers))])} |",
    ]
    for names, values in zip(table.names(), table.values(), strict=True):
        cells = [f"**{markdown(text)}**" if bold else markdown(text) for text, bold in values]
        lines.append(f"| {' | '.join([*map(markdown, names), *cells])} |")
    notes = [f"{markdown(note)}  " for note in (table.title, *table.notes)]
    return "\n".join([notes[0].strip(), "", *lines, "", *notes[1:]]).rstrip()


_FITTED = r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi"
"""A table that is wider than the text is drawn smaller."""


def _latex_text(text: str) -> str:
    text = latex_row([text]).removesuffix(r" \\")
    return text.replace("Δ", r"$\Delta$").replace("±", r"$\pm$")


def _latex(table: Table) -> str:
    count = len(table.header)
    columns = "l" * len(table.keys) + "r" * (count - len(table.keys))
    lines = [
        r"% \usepackage{booktabs,graphicx}",
        rf"% {_latex_text(table.title)}",
        r"\sbox0{%",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        rf"{' & '.join(map(_latex_text, table.header))} \\",
        r"\midrule",
    ]
    for names, values in zip(table.names(), table.values(), strict=True):
        cells = [rf"\textbf{{{_latex_text(t)}}}" if bold else _latex_text(t) for t, bold in values]
        lines.append(rf"{' & '.join([*map(_latex_text, names), *cells])} \\")
    lines += [r"\bottomrule", r"\end{tabular}}%", _FITTED]
    notes = [rf"\par{{\footnotesize {_latex_text(note)}\par}}" for note in table.notes]
    return "\n".join([*lines, *notes])


COMPARED = ("delta", "low", "high", "p")


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [name for column in table.columns for name in _columns(table, column)]
    writer.writerow([*table.keys, "marks", *names])
    for (keys, cells), marks in zip(table.rows, table.marks, strict=True):
        values = [
            value for at, column in enumerate(table.columns) for value in _numbers(table, cells, at)
        ]
        empty = ["" if value is None else value for value in values]
        writer.writerow([*keys, "; ".join(marks), *empty])
    return out.getvalue().rstrip("\n")


def _columns(table: Table, column: str) -> list[str]:
    more = COMPARED if column in table.compared else ()
    return [column, *(f"{column}_{name}" for name in ("sd", "n", *more))]


def _numbers(table: Table, cells: Sequence[Cell | None], at: int) -> list[float | None]:
    cell, found = cells[at], list[float | None]([None] * 3)
    if cell is not None:
        found = [cell.mean, cell.deviation, cell.n]
    if table.columns[at] not in table.compared:
        return found
    last = table.differing(cells, at)
    of = None if last is None else last.difference
    return [*found, *([None] * len(COMPARED) if of is None else [of.mean, of.low, of.high, of.p])]


def _json(table: Table) -> str:
    def cell(value: Cell | None) -> dict[str, Any] | None:
        if value is None:
            return None
        found: dict[str, Any] = {"mean": value.mean, "sd": value.deviation, "n": value.n}
        if value.difference is not None:
            found["difference"] = asdict(value.difference)
        return found

    rows = [
        {
            **dict(zip(table.keys, keys, strict=True)),
            "marks": list(marks),
            "cells": {s: cell(c) for s, c in zip(table.columns, cells, strict=True)},
        }
        for (keys, cells), marks in zip(table.rows, table.marks, strict=True)
    ]
    values = {
        "schema": 1, "title": table.title, "metric": table.metric, "columns": table.by,
        "shares": table.percent, "notes": list(table.notes), "rows": rows,
    }  # fmt: skip
    return json.dumps(values, ensure_ascii=False)


def for_spreadsheets(table: Table) -> Table:
    """The table with keys that a spreadsheet does not compute."""
    rows = tuple((tuple(map(spreadsheet, keys)), cells) for keys, cells in table.rows)
    return replace(table, rows=rows)


FORMATS: Mapping[str, Callable[[Table], str]] = {
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
"""Formats other than ``rich``, which draws on the terminal."""
