"""CoNLL columns: a token a line, its tag in the last column, empty lines between sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import Kind
from harness.errors import DataError
from harness.files.lines import read_lines
from harness.files.raw_table import Headers, RawRow, RawTable

DOCUMENT = "-DOCSTART-"


def open_conll(file: Path, kind: Kind, headers: Headers) -> RawTable:
    """A file of columns separated by tabs or spaces; ``-DOCSTART-`` lines are left out."""
    if kind != "token":
        raise DataError(
            f"{file}: CoNLL columns hold tokens and tags, but this is a sequence task; "
            "give it .jsonl, .json, .csv, .tsv or .parquet"
        )
    return RawTable(str(file), lambda: _sentences(file))


def _sentences(file: Path) -> Iterator[RawRow]:
    tokens: list[str] = []
    tags: list[str] = []
    begin, width = 0, 0
    for line, text in read_lines(file):
        cells = _cells(text.strip("\r\n"))
        if not any(cells) or cells[0] == DOCUMENT:
            if tokens:
                yield f"{file}:{begin}", {"tokens": tokens, "tags": tags}
                tokens, tags = [], []
            continue
        width = width or len(cells)
        _check(cells, width, f"{file}:{line}")
        begin = begin if tokens else line
        tokens.append(cells[0])
        tags.append(cells[-1])
    if tokens:
        yield f"{file}:{begin}", {"tokens": tokens, "tags": tags}


def _cells(text: str) -> list[str]:
    """The columns; not by ``str.split()``, since a token may be an unusual space."""
    if "\t" in text:
        return [cell.strip(" ") for cell in text.split("\t")]
    return [cell for cell in text.split(" ") if cell]


def _check(cells: list[str], width: int, where: str) -> None:
    if len(cells) < 2:
        raise DataError(f"{where}: {cells[0]!r} stands alone; a line has a token and its tag")
    if len(cells) != width:
        raise DataError(
            f"{where}: {len(cells)} columns where the first line has {width}; "
            "each line has a token first and its tag last"
        )
