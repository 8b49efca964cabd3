"""Rows under named columns, as results give them: for pandas, Arrow, and a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import CommandError
from harness.files.printable import printable


@dataclass(frozen=True, slots=True)
class Frame:
    """Named columns and rows of plain values.

    ``html`` escapes every text: names and messages come from others.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    title: str = ""

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

    def html(self) -> str:
        """A table for a notebook."""
        head = "".join(f"<th>{_text(name)}</th>" for name in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in row)}</tr>" for row in self.rows
        )
        caption = f"<caption>{_text(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Framed:
    """A result with a ``frame``, for pandas, Arrow, and a notebook."""

    __slots__ = ()

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

    def _repr_html_(self) -> str:
        return self.frame.html()


def _text(value: object) -> str:
    if value is None:
        return ""
    text = format(value, ".4g") if isinstance(value, float) else str(value)
    return html.escape(printable(text))
