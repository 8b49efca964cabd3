"""``.csv`` and ``.tsv``: with a header, or as the reference implementation writes them.

Without a header a row is ``label,text`` or ``label,text,augmented``. In token tasks a row
has the tokens of a sentence and its tags, each joined by spaces, under a header; a ``.tsv``
without that header is taken for CoNLL columns, which are often given this suffix.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from harness.data import Kind
from harness.errors import DataError
from harness.files.delimited import has_header, read_cells, read_records
from harness_tasks.formats.conll import open_conll
from harness_tasks.formats.table import RawRow, RawTable

POSITIONS = ("label", "text", "augmented")


def open_csv(file: Path, kind: Kind, columns: Collection[str]) -> RawTable:
    """A ``.csv`` file."""
    line, cells = _first(file, columns)
    headed = has_header(cells, columns)
    opening = None if headed or not cells else (f"{file}:{line}", tuple(cells))
    if kind == "token":
        return RawTable(str(file), lambda: _sentences(file, columns), "text", opening=opening)
    form: Literal["text", "positional"] = "text" if headed else "positional"
    return RawTable(str(file), lambda: _rows(file, columns), form, opening=opening)


def open_tsv(file: Path, kind: Kind, columns: Collection[str]) -> RawTable:
    """A ``.tsv`` file."""
    if kind == "token" and not has_header(_first(file, columns)[1], columns):
        return open_conll(file, kind, columns)
    return open_csv(file, kind, columns)


def _first(file: Path, columns: Collection[str]) -> tuple[int, list[str]]:
    try:
        return next(read_cells(file, columns), (1, []))
    except DataError:
        return 1, []  # said, with its line, when the rows are read


def _rows(file: Path, columns: Collection[str]) -> Iterator[RawRow]:
    for line, row in read_records(file, columns, POSITIONS):
        yield f"{file}:{line}", row


def _sentences(file: Path, columns: Collection[str]) -> Iterator[RawRow]:
    for line, row in read_records(file, columns, ("tokens", "tags")):
        yield f"{file}:{line}", {column: _parts(value) for column, value in row.items()}


def _parts(value: str) -> list[str]:
    return [part for part in value.split(" ") if part]
