"""Rows under named columns, as results give them: for pandas, Arrow, and a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import CommandError
from harness.files.printable import printable

SHOWN, WIDEST = 50, 60
"""Rows, and letters of a cell, of a table of plain text."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Named columns and rows of plain values, with lines of text below.

    ``html`` escapes every text: names and messages come from others.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Sequence[dict[str, Any]], title: str = "") -> Frame:
        """Of rows that have the same keys."""
        columns = tuple(rows[0]) if rows else ()
        return cls(columns, tuple(tuple(row.values()) for row in rows), title)

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``."""
        import pyarrow as pa

        values = {
            name: [row[position] for row in self.rows] for position, name in enumerate(self.columns)
        }
        return pa.table(values)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``; a ``CommandError`` where pandas is not installed."""
        try:
            import pandas as pd
        except ImportError:
            raise CommandError("to_pandas needs pandas: pip install pandas") from None
        return pd.DataFrame(list(self.rows), columns=list(self.columns))

    def text(self) -> str:
        """A table of plain text: its first ``SHOWN`` rows, and the columns that have a value."""
        cells = [[_cell(value) for value in row] for row in self.rows[:SHOWN]]
        columns = [
            [_cell(name), *(row[at] for row in cells)]
            for at, name in enumerate(self.columns)
            if any(row[at] for row in cells)
        ]
        widths = [max(map(len, column)) for column in columns]
        lines = [
            "  ".join(map(str.ljust, line, widths)).rstrip() for line in zip(*columns, strict=True)
        ]
        left = len(self.rows) - SHOWN
        more = [f"... {left} more rows: to_pandas() has all"] if left > 0 else []
        notes = map(_line, self.notes)
        return "\n".join([*filter(None, [_line(self.title)]), *lines, *more, *notes])

    def html(self) -> str:
        """A table for a notebook."""
        head = "".join(f"<th>{_text(name)}</th>" for name in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in row)}</tr>" for row in self.rows
        )
        caption = f"<caption>{_text(self.title)}</caption>" if self.title else ""
        table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return table + "".join(f"<p>{_text(note)}</p>" for note in self.notes)


class Framed:
    """A result with a ``frame``, for pandas, Arrow, ``print``, and a notebook.

    Its classes have no ``slots``: with them, Python 3.11 answers an attempt to set a property
    with a TypeError about ``super``.
    """

    @property
    def frame(self) -> Frame:
        """Its values as rows."""
        raise NotImplementedError

    def to_arrow(self) -> Any:
        """The frame as a ``pyarrow.Table``."""
        return self.frame.to_arrow()

    def to_pandas(self) -> Any:
        """The frame as a ``pandas.DataFrame``."""
        return self.frame.to_pandas()

    def __str__(self) -> str:
        return self.frame.text()

    def _repr_html_(self) -> str:
        return self.frame.html()


def _text(value: object) -> str:
    return html.escape(_plain(value))


def _cell(value: object) -> str:
    """A value on one line."""
    text = _line(_plain(value))
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


def _line(text: str) -> str:
    return " ".join(printable(text).split())


def _plain(value: object) -> str:
    if value is None:
        return ""
    return printable(format(value, ".4g") if isinstance(value, float) else str(value))
