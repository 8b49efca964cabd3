"""Comma- and tab-separated files, read strictly, with or without a header.

Quotes as in RFC 4180: double quotes enclose a field with a separator, a quote or a line break,
and a quote within it is doubled. Nothing is guessed: a quote that is not closed, or a
row with another number of columns than the first, is refused. Only the separator of a
``.csv`` file may be another one, if its header or a first line ``sep=;`` shows it:
spreadsheets write semicolons in countries that write decimal commas.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from harness.errors import DataError
from harness.files.lines import read_lines
from harness.files.raw_table import Faults, Headers

SEPARATORS: Mapping[str, str] = {".csv": ",", ".tsv": "\t"}
"""The separator of a file, by its suffix."""
_OTHERS: Mapping[str, str] = {";": "semicolons", "\t": "tabs"}
"""What a ``.csv`` file may have in its place, with a header."""
_DECLARED = re.compile(r'"?sep=(.)"?\r?\n?')
"""A first line in which Excel declares the separator."""
LONGEST = 2**31 - 1
"""Characters that a field may have; the csv module's own limit is 131,072."""


class _Form(NamedTuple):
    separator: str
    skipped: int = 0


def read_cells(file: Path, headers: Headers) -> Iterator[tuple[int, list[str]]]:
    """The rows of a ``.csv`` or ``.tsv`` file, each with the line on which it begins.

    Empty lines are skipped; lines end in LF or CRLF.

    Args:
        file: ``.csv`` or ``.tsv``.
        headers: a first row that is one shows the separator.

    Raises:
        DataError: naming file and line.
    """
    csv.field_size_limit(LONGEST)
    form = _form(file, headers)
    taken: list[str] = []
    reader = csv.reader(_noted(file, form.skipped, taken), delimiter=form.separator, strict=True)
    while True:
        begin = form.skipped + reader.line_num + 1
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{file}:{begin}: {_fault(error)}") from None
        if form.separator == "\t" and len(taken) > 1:
            _refuse_rows_in_quotes(taken, len(cells), f"{file}:{begin}")
        if cells:
            yield begin, cells


def _noted(file: Path, skipped: int, taken: list[str]) -> Iterator[str]:
    for _, text in islice(read_lines(file), skipped, None):
        taken.append(text)
        yield text


def _refuse_rows_in_quotes(lines: Sequence[str], width: int, where: str) -> None:
    """Refuse a quoted field over several lines if each of them has the columns of a row.

    Many tab-separated files do not use quoting: there a text that begins with a quote would take
    in all rows up to the next one that ends with a quote.
    """
    if all(line.count("\t") + 1 == width for line in lines):
        raise DataError(
            f"{where}: a quote opens a field here that would take in {len(lines)} rows; put the "
            "text in quotes and double each quote in it, or remove the quote"
        )


def read_records(
    file: Path, headers: Headers, positions: Sequence[Sequence[str]]
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows as mappings from column to text, each with its line.

    Args:
        file: ``.csv`` or ``.tsv``.
        headers: tells a header from a row.
        positions: the columns that a file without a header may have, the longest last.

    Raises:
        DataError: naming file and line.
    """
    columns: list[str] | None = None
    faults = Faults()
    for line, cells in read_cells(file, headers):
        where = f"{file}:{line}"
        if columns is None:
            if headers.match(cells):
                columns = [cell.strip() for cell in cells]
                refuse_twice((name for name in columns if name), where)
                continue
            columns = _positional(cells, positions, where)
        if len(cells) != len(columns):
            said = (
                f"{where}: {_columns(len(cells))} where the first row has {len(columns)} "
                f"({', '.join(columns)}); put a text that contains the separator in quotes"
            )
            faults.add(DataError(said))
            continue
        yield line, dict(zip(columns, cells, strict=True))
    faults.check()


def _form(file: Path, headers: Headers) -> _Form:
    usual = SEPARATORS[file.suffix.lower()]
    first = next((text for _, text in read_lines(file) if text.strip()), "")
    if declared := _DECLARED.fullmatch(first):
        return _Form(declared.group(1), 1)
    for separator in (usual, *_OTHERS) if usual == "," else ():
        with suppress(csv.Error):  # reading the rows raises it again, with its line
            if headers.match(next(csv.reader([first], delimiter=separator), [])):
                return _Form(separator)
    return _Form(usual)


def refuse_twice(columns: Iterable[str], where: str) -> None:
    """Raise a ``DataError`` for two columns of the same name, since one would be lost."""
    name, count = max(Counter(columns).items(), key=lambda item: item[1], default=("", 0))
    if count > 1:
        raise DataError(f"{where}: {count} columns are named {name[:40]!r}; keep one")


def _positional(cells: Sequence[str], positions: Sequence[Sequence[str]], where: str) -> list[str]:
    for columns in positions:
        if len(columns) == len(cells):
            return list(columns)
    other = [name for separator, name in _OTHERS.items() if separator in "".join(cells)]
    hint = f"; columns that {other[0]} separate need a header" if other and len(cells) == 1 else ""
    widths = " or ".join(str(len(columns)) for columns in positions)
    raise DataError(
        f"{where}: {_columns(len(cells))}; a file without a header has {widths}: "
        f"{', '.join(positions[-1])}; name other columns in a first row{hint}"
    )


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _fault(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text or "field larger" in text:
        return "a quote opens a field here and is not closed; close it, or double a quote in a text"
    if "expected after" in text:
        return "text follows a closing quote; double each quote within a quoted field"
    if "new-line character" in text:
        return "a line break of a lone CR; end lines with LF or CRLF"
    return f"not readable ({text})"
