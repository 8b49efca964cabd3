"""Files of a user's own: any table with a column of texts, its rows and columns as they stand."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from harness.errors import CommandError, DataError
from harness.files.delimited import SEPARATORS, read_cells, read_records
from harness.files.json_files import open_array, open_lines
from harness.files.lines import read_lines
from harness.files.parquet import open_parquet
from harness.files.raw_table import Headers, RawRow
from harness.files.workbook import open_workbook

TEXT_NAMES = frozenset(
    {"text", "texts", "title", "headline", "subject", "sentence", "sentences", "review", "body"}
    | {"content", "description", "summary", "abstract", "message", "comment", "question"}
    | {"document", "tokens", "words"}
)
"""Words in the names that people give to columns of texts."""
_WORD = re.compile(r"[^\W\d_]+")
_NUMERAL = re.compile(r"[\d.,:/ +-]+")
LONGEST_NAME = 40
"""Characters of a first row's cells, if they are to be names of columns."""


@dataclass(frozen=True, slots=True)
class UserFile:
    """A user's table, read when its rows are asked for, each time anew.

    Attributes:
        path: the file.
        columns: names of its columns, in their order.
        text: the column of the texts.
        rows: the place (``file:line`` or ``file: row n``) and the columns of each row. A row
            may lack columns in JSON files.
        notes: how the file was taken, one line each.
    """

    path: Path
    columns: tuple[str, ...]
    text: str
    rows: Callable[[], Iterator[RawRow]]
    notes: tuple[str, ...] = ()


def read_rows(path: Path, text_column: str | None = None) -> UserFile:
    """Open a .csv, .tsv, .jsonl, .json, .parquet, .xlsx, or .txt file (a text a line).

    Args:
        path: its suffix says the format.
        text_column: the column of the texts; None: the one whose name says so, or the only one.

    Raises:
        CommandError: if the column is not there, or it is not clear which one is meant.
        DataError: naming file and row; also later, while the rows are read.
    """
    columns, rows, notes = _opened(path, text_column)
    if not columns:
        raise DataError(f"{path}: holds no rows; fill it")
    text = _text_column(path, columns, text_column)
    if len(columns) > 1 and text_column is None:
        notes = [*notes, f"{path}: the texts are read from column {text!r}"]
    return UserFile(path, tuple(columns), text, rows, tuple(notes))


def columns_of(path: Path) -> Sequence[str]:
    """The columns of a file; errors as of ``read_rows``."""
    return _opened(path, None)[0]


def _opened(path: Path, named: str | None) -> _Opened:
    opener = _OPENERS.get(path.suffix.lower())
    if opener is None:
        known = ", ".join(_OPENERS)
        raise CommandError(f"{path}: no known format; a file ends in one of {known}")
    if not path.is_file():
        raise CommandError(f"{path}: no such file")
    return opener(path, named)


def _text_column(path: Path, columns: Sequence[str], named: str | None) -> str:
    listed = ", ".join(columns[:12]) + (", ..." if columns[12:] else "")
    if named is not None:
        if named in columns:
            return named
        raise CommandError(f"{path}: there is no column {named!r}; its columns are {listed}")
    like = [name for name in columns if TEXT_NAMES & set(_WORD.findall(name.casefold()))]
    for found in (["text"] if "text" in columns else [], columns, like):
        if len(found) == 1:
            return found[0]
    raise CommandError(
        f"{path}: which column holds the texts? Its columns are {listed}; "
        f"say --column text={(like or list(columns))[0]}, for instance"
    )


# --- formats -----------------------------------------------------------------------------

_Opened = tuple[Sequence[str], Callable[[], Iterator[RawRow]], list[str]]
_Opener = Callable[[Path, str | None], _Opened]


def _separated(path: Path, named: str | None) -> _Opened:
    first = next((text for _, text in read_lines(path) if text.strip()), "")
    candidates = [next(csv.reader([first], delimiter=one), []) for one in ",;\t"]
    guess = max(candidates, key=len)
    headers = Headers(frozenset(), frozenset(guess))
    cells = next(read_cells(path, headers), (1, []))[1]
    columns = [cell.strip() for cell in cells]
    headers = Headers(frozenset(), frozenset(columns))
    notes = []
    if not _is_header(columns, named):
        if len(columns) > 1:
            raise DataError(
                f"{path}:1: the first row does not look like names of columns "
                f"({', '.join(columns)[:80]}); write their names in a first row"
            )
        notes = [f"{path}: has no header; each row is a text"] if columns else []
        columns, headers = ["text"] if columns else [], Headers(frozenset())

    def rows() -> Iterator[RawRow]:
        for line, row in read_records(path, headers, [columns]):
            yield f"{path}:{line}", row

    return columns, rows, notes


def _is_header(cells: Sequence[str], named: str | None) -> bool:
    if named in cells or any(TEXT_NAMES & set(_WORD.findall(cell.casefold())) for cell in cells):
        return all(len(cell) <= LONGEST_NAME for cell in cells)
    short = all(cell and len(cell) <= LONGEST_NAME for cell in cells)
    return len(cells) > 1 and short and not any(_NUMERAL.fullmatch(cell) for cell in cells)


def _lines(path: Path, named: str | None) -> _Opened:
    def rows() -> Iterator[RawRow]:
        for line, text in read_lines(path):
            yield f"{path}:{line}", {"text": text.rstrip("\r\n")}

    return ["text"] if next(rows(), None) else [], rows, []


def _objects(path: Path, named: str | None) -> _Opened:
    table = open_lines(path) if path.suffix.lower() == ".jsonl" else open_array(path)
    columns = dict.fromkeys(chain.from_iterable(row for _, row in table.rows()))
    return list(columns), table.rows, []


def _parquet(path: Path, named: str | None) -> _Opened:
    table = open_parquet(path)
    first = next(table.rows(), None)
    return list(first[1]) if first else [], table.rows, []


_OPENERS: Mapping[str, _Opener] = {
    **dict.fromkeys(SEPARATORS, _separated),
    ".jsonl": _objects,
    ".json": _objects,
    ".parquet": _parquet,
    ".xlsx": open_workbook,
    ".txt": _lines,
}
