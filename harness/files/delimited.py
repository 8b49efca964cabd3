"""Comma- and tab-separated files, read strictly, with or without a header.

Quotes as in RFC 4180: a field with a separator, a quote or a line break stands in double
quotes, a quote within it is doubled. Nothing is guessed: a quote that is not closed, or a
row with another number of columns than the first, is refused. Only the separator of a
``.csv`` file may be another one, where its header says so: spreadsheets write semicolons in
countries that write decimal commas.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.errors import DataError
from harness.files.lines import read_lines

SEPARATORS: Mapping[str, str] = {".csv": ",", ".tsv": "\t"}
"""The separator of a file, by its suffix."""
_OTHERS: Mapping[str, str] = {";": "semicolons", "\t": "tabs"}
"""What a ``.csv`` file may have in its place, with a header."""


def read_cells(file: Path, names: Collection[str] = ()) -> Iterator[tuple[int, list[str]]]:
    """The rows of a ``.csv`` or ``.tsv`` file, each with the line on which it begins.

    Empty lines are skipped. UTF-8 with or without a byte order mark, LF or CRLF.

    Args:
        file: ``.csv`` or ``.tsv``.
        names: column names; a header with two of them shows the separator.

    Raises:
        DataError: naming file and line.
    """
    lines = (text for _, text in read_lines(file))
    reader = csv.reader(lines, delimiter=_separator(file, names), strict=True)
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{file}:{begin}: {_fault(error)}") from None
        if cells:
            yield begin, cells


def has_header(cells: Sequence[str], names: Collection[str]) -> bool:
    """Whether a first row holds at least two of the names that a header could have."""
    return len({cell.strip() for cell in cells} & set(names)) >= 2


def read_records(
    file: Path, names: Collection[str], positions: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows as mappings from column to text, each with its line.

    Args:
        file: ``.csv`` or ``.tsv``.
        names: column names of which a header has at least two.
        positions: names of the columns of a file without a header; the last may be absent.

    Raises:
        DataError: naming file and line.
    """
    columns: list[str] | None = None
    for line, cells in read_cells(file, names):
        where = f"{file}:{line}"
        if columns is None:
            if has_header(cells, names):
                columns = [cell.strip() for cell in cells]
                continue
            columns = _positional(cells, positions, where)
        if len(cells) != len(columns):
            raise DataError(
                f"{where}: {_columns(len(cells))} where the first row has {len(columns)} "
                f"({', '.join(columns)}); a text with a separator in it stands in quotes"
            )
        yield line, dict(zip(columns, cells, strict=True))


def _separator(file: Path, names: Collection[str]) -> str:
    usual = SEPARATORS[file.suffix.lower()]
    if file.suffix.lower() != ".csv":
        return usual
    first = next((text for _, text in read_lines(file) if text.strip()), "")
    for separator in (usual, *_OTHERS):
        with suppress(csv.Error):  # said, with its line, when the rows are read
            if has_header(next(csv.reader([first], delimiter=separator), []), names):
                return separator
    return usual


def _positional(cells: Sequence[str], positions: Sequence[str], where: str) -> list[str]:
    if not len(positions) - 1 <= len(cells) <= len(positions):
        other = [name for separator, name in _OTHERS.items() if separator in "".join(cells)]
        hint = f"; columns that {other[0]} separate need a header" if other else ""
        raise DataError(
            f"{where}: {_columns(len(cells))}; a file without a header has "
            f"{len(positions) - 1} or {len(positions)}: {', '.join(positions)}"
            + (hint if len(cells) == 1 else "")
        )
    return list(positions[: len(cells)])


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _fault(error: csv.Error) -> str:
    said = str(error)
    if "unexpected end" in said or "field larger" in said:
        return "a quote opens a field here and is not closed; close it, or double a quote in a text"
    if "expected after" in said:
        return "text follows a closing quote; double each quote that stands within a quoted field"
    if "new-line character" in said:
        return "a line break of a lone CR; end lines with LF or CRLF"
    return f"not readable ({said})"
