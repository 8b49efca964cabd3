"""``.csv`` and ``.tsv``: with a header, or with the columns that the task or its kind has.

Without a header a row is what the task's ``[columns] names`` say, else ``label,text`` or
``label,text,augmented``, as the reference implementation writes it. In token tasks a row has
the tokens of a sentence and its tags, each joined by spaces, under a header; a ``.tsv`` without
that header is taken for CoNLL columns, which are often given this suffix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from harness.data import Kind
from harness.errors import DataError
from harness.files.delimited import read_cells, read_records
from harness.files.raw_table import Headers, RawRow, RawTable
from harness_tasks.formats.conll import open_conll

POSITIONS = (("label", "text"), ("label", "text", "augmented"))
TOKENS = (("tokens", "tags"),)


def open_csv(file: Path, kind: Kind, headers: Headers) -> RawTable:
    """A ``.csv`` file."""
    line, cells = _first(file, headers)
    headed = headers.match(cells)
    opening = None if headed or not cells else (f"{file}:{line}", tuple(cells))
    positions: Sequence[Sequence[str]] = POSITIONS if kind == "sequence" else TOKENS
    if headers.unheaded:
        positions = (headers.unheaded,)
    form: Literal["text", "positional"] = "text" if headed or kind == "token" else "positional"
    split = kind == "token"
    return RawTable(
        str(file), lambda: _rows(file, headers, positions, split), form, opening=opening
    )


def open_tsv(file: Path, kind: Kind, headers: Headers) -> RawTable:
    """A ``.tsv`` file."""
    if kind == "token" and not headers.match(_first(file, headers)[1]):
        return open_conll(file, kind, headers)
    return open_csv(file, kind, headers)


def _first(file: Path, headers: Headers) -> tuple[int, list[str]]:
    try:
        return next(read_cells(file, headers), (1, []))
    except DataError:
        return 1, []  # said, with its line, when the rows are read


def _rows(
    file: Path, headers: Headers, positions: Sequence[Sequence[str]], split: bool
) -> Iterator[RawRow]:
    for line, row in read_records(file, headers, positions):
        if split:
            yield f"{file}:{line}", {column: _parts(value) for column, value in row.items()}
        else:
            yield f"{file}:{line}", row


def _parts(value: str) -> list[str]:
    """Tokens, or tags: joined by spaces, or the JSON list that ``harness export`` writes."""
    if value.startswith('["') and value.endswith('"]'):
        with suppress(ValueError):
            listed = json.loads(value)
            if all(isinstance(part, str) for part in listed):
                return list(listed)
    return [part for part in value.split(" ") if part]
