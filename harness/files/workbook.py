"""Workbooks (.xlsx): the first sheet, with the values that a spreadsheet program computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from itertools import chain
from pathlib import Path
from typing import Any

from harness.errors import CommandError, DataError
from harness.files.delimited import refuse_twice
from harness.files.raw_table import Faults, RawRow

LOOKED_AT = 1000
"""Rows of a sheet in which formulas without a value are looked for."""


def open_workbook(
    path: Path, named: str | None = None
) -> tuple[Sequence[str], Callable[[], Iterator[RawRow]], list[str]]:
    """The columns of a workbook's first sheet, its rows, and how they are taken.

    Raises:
        CommandError: if ``openpyxl`` is not installed.
        DataError: naming file and row; also later, while the rows are read.
    """
    with _sheets(path) as sheets:
        names = [sheet.title for sheet in sheets]
        first = next(sheets[0].iter_rows(values_only=True), ())
    _refuse_uncomputed(path)
    notes = []
    if names[1:]:
        rest = ", ".join(map(repr, names[1:]))
        notes = [f"{path}: sheet {names[0]!r} is read; left out: {rest}"]
    columns = ["" if cell is None else str(cell).strip() for cell in first]
    while columns and not columns[-1]:
        columns.pop()
    columns = [name or f"column {number}" for number, name in enumerate(columns, start=1)]
    refuse_twice(columns, f"{path}: row 1")

    def rows() -> Iterator[RawRow]:
        with _sheets(path) as sheets:
            yield from _sheet_rows(path, columns, sheets[0].iter_rows(min_row=2, values_only=True))

    return columns, rows, notes


def _sheet_rows(
    path: Path, columns: Sequence[str], found: Iterable[Sequence[Any]]
) -> Iterator[RawRow]:
    faults = Faults()
    empty: list[str] = []  # a sheet often ends in rows that only have a format
    for number, cells in enumerate(found, start=2):
        where = f"{path}: row {number}"
        if all(cell is None for cell in cells):
            empty.append(where)
            continue
        for place in empty:
            yield place, dict.fromkeys(columns)
        empty.clear()
        if any(cell is not None for cell in cells[len(columns) :]):
            said = f"{where}: holds more than the {len(columns)} columns named in row 1"
            faults.add(DataError(f"{said}; name the others, too"))
            continue
        values = [*map(_day, cells), *[None] * len(columns)][: len(columns)]
        yield where, dict(zip(columns, values, strict=True))
    faults.check()


def _day(value: Any) -> Any:
    """A date for a date that a workbook keeps as its midnight; else the value."""
    if isinstance(value, datetime) and value.time() == time():
        return value.date()
    return value


def _refuse_uncomputed(path: Path) -> None:
    """Refuse formulas without a value, which only a spreadsheet program can compute."""
    with _sheets(path) as values, _sheets(path, values=False) as formulas:
        both = (sheet[0].iter_rows(max_row=LOOKED_AT) for sheet in (values, formulas))
        cells = chain.from_iterable(zip(*rows, strict=True) for rows in zip(*both, strict=True))
        for value, formula in cells:
            if value.value is None and formula.data_type == "f":
                raise DataError(
                    f"{path}: cell {formula.coordinate} holds a formula without its value; open "
                    "the file in a spreadsheet program and save it"
                )


@contextmanager
def _sheets(path: Path, *, values: bool = True) -> Iterator[Any]:
    """The sheets of a workbook, with values, or else with formulas."""
    load = spreadsheets().load_workbook
    try:
        book = load(path, read_only=True, data_only=values)
    except Exception as error:  # openpyxl raises whatever zip and XML do
        said = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a readable workbook ({said}); save it anew") from None
    try:
        if not book.worksheets:
            raise DataError(f"{path}: holds no sheet of cells")
        yield book.worksheets
    finally:
        book.close()


def spreadsheets() -> Any:
    """The ``openpyxl`` module.

    Raises:
        CommandError: if it is not installed.
    """
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError:
        raise CommandError(
            "a .xlsx file needs openpyxl: pip install 'freeal-harness[xlsx]'; or save it as .csv"
        ) from None
    return openpyxl
