"""A table of results, ready to be printed in any format."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.differences import Difference

LEVEL = 0.05
"""A difference with a smaller p is in bold."""
MARKS = {
    "supervised": ("†", "supervised: the annotator, or the selector of trust, reads gold labels"),
    "limited": ("‡", "limited: a part of the examples, drawn by the seed (limit)"),
    "leaked": ("°", "leaked: some texts of the test set occur in the pool"),
    "other code": ("§", "other code: made by another version of a part's code than today's"),
    "stopped": ("¶", "stopped: the run is not finished; its recorded stages are shown"),
    "published": ("#", "published"),
}
"""Sign and legend of what a reader must know of a row."""
COMPARED = ("Δ", "95 %", "p")
"""The columns of a difference."""
NONE = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """Mean and sample deviation (None of a single value) over ``n`` seeds; 0: published.

    ``difference``: from the baseline's cell in the same column, where one was asked for.
    """

    mean: float
    deviation: float | None
    n: int
    difference: Difference | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Cell:
        """Of one value a seed."""
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation, len(values))

    @property
    def supported(self) -> bool:
        """Whether a test says that the difference is no chance."""
        found = self.difference
        return found is not None and found.p is not None and found.p < LEVEL

    def text(self, *, percent: bool) -> str:
        """As printed: per cent with two digits, or four significant digits."""
        text = _number(self.mean, percent)
        return text if self.deviation is None else f"{text} ± {_number(self.deviation, percent)}"

    def compared(self, *, percent: bool) -> tuple[str, str, str]:
        """The difference, its interval and p as printed; dashes where there is none."""
        found = self.difference
        if found is None:
            return NONE, NONE, NONE
        mean = _number(found.mean, percent, "+")
        if found.low is None or found.high is None or found.p is None:
            return mean, NONE, NONE
        bounds = f"{_number(found.low, percent, '+')} to {_number(found.high, percent, '+')}"
        return mean, bounds, p_text(found.p)


def p_text(p: float) -> str:
    """A p-value as printed; a dash where there is none (NaN)."""
    return NONE if p != p else "<0.001" if p < 0.001 else f"{p:.3f}"


def _number(value: float, percent: bool, sign: str = "") -> str:
    return format(value * 100, f"{sign}.2f") if percent else format(value, f"{sign}.4g")


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        title: what is measured, and its unit.
        keys: names of the columns that name a row.
        columns: names of the columns of values.
        rows: each has its keys, and its cells (None: no value).
        percent: whether the values are shares, to be printed in per cent.
        marks: of each row, names of ``MARKS``.
        notes: lines below the table.
        compared: columns after which differences from the baseline stand; of stages the last one,
            after which each row has that of its own last stage.
        by: what the columns are: ``stage`` or a key of the configuration.
        metric: what is shown.
    """

    title: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Cell | None, ...]], ...]
    percent: bool
    marks: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    compared: frozenset[str] = frozenset()
    by: str = "stage"
    metric: str = ""

    @property
    def stages(self) -> tuple[str, ...]:
        """The columns, by the name that they had where they could only be stages."""
        return self.columns

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns of ``texts``."""
        return (*self.keys, *(name for block in self.blocks() for name in block))

    def blocks(self) -> list[tuple[str, ...]]:
        """The names of the columns of each value: its own, and those of its difference."""
        return [(one, *(COMPARED if one in self.compared else ())) for one in self.columns]

    def names(self) -> list[list[str]]:
        """The keys of each row; the first one with the signs of the row's marks."""
        marks = self.marks or ((),) * len(self.rows)
        return [
            [keys[0] + _signs(of), *keys[1:]]
            for (keys, _), of in zip(self.rows, marks, strict=True)
        ]

    def values(self) -> list[list[tuple[str, bool]]]:
        """Of each row the texts after its keys, each with whether it is in bold."""
        return [
            [text for at in range(len(self.columns)) for text in self._texts(cells, at)]
            for _, cells in self.rows
        ]

    def differing(self, cells: Sequence[Cell | None], at: int) -> Cell | None:
        """The cell of a row whose difference stands after a column."""
        if self.by != "stage":
            return cells[at]
        return next((cell for cell in reversed(cells) if cell is not None), None)

    def _texts(self, cells: Sequence[Cell | None], at: int) -> list[tuple[str, bool]]:
        cell = cells[at]
        found = [(NONE, False) if cell is None else self._value(cell)]
        if self.columns[at] in self.compared:
            last = self.differing(cells, at)
            difference, *others = last.compared(percent=self.percent) if last else [NONE] * 3
            found += [
                (difference, last is not None and last.supported),
                *((one, False) for one in others),
            ]
        return found

    def _value(self, cell: Cell) -> tuple[str, bool]:
        return cell.text(percent=self.percent), cell.supported

    def texts(self) -> list[list[str]]:
        """All rows as texts; a dash where there is no value."""
        both = zip(self.names(), self.values(), strict=True)
        return [[*names, *(text for text, _ in values)] for names, values in both]


def _signs(marks: Sequence[str]) -> str:
    return "".join(MARKS[one][0] for one in marks)
