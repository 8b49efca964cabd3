"""Rows as a file of JSON Lines, JSON, csv, tsv, Parquet or a workbook, by its suffix."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from harness.errors import CommandError, RunError
from harness.files.delimited import SEPARATORS
from harness.files.escaping import spreadsheet
from harness.files.user_file import plain, spreadsheets
from harness.record.folder import new_file

CHUNK = 8192
"""Rows of a row group."""
TYPES = {"tokens": "list", "tags": "list", "confidence": "float",
         "trusted": "bool", "supervised": "bool"}  # fmt: skip
"""Types of columns; those of others are seen in their values."""


def check_new(file: Path, option: str = "--to") -> None:
    """Raise a ``CommandError`` that names the option, for an unknown suffix or an existing file."""
    if file.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise CommandError(f"{option} {file}: its suffix says how to write it: {known}")
    if file.exists():
        raise CommandError(f"{option} {file}: exists; delete it, or choose another name")


def write_rows(file: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows with the same keys atomically; returns their number. ``RunError`` if it fails.

    csv and tsv have a header, an empty cell for null, and JSON for lists.
    """
    count = 0

    def counted() -> Iterator[Mapping[str, Any]]:
        nonlocal count
        for count, row in enumerate(rows, start=1):  # noqa: B007
            yield row

    try:
        new_file(file, lambda path: _WRITERS[file.suffix.lower()](path, counted()))
    except OSError as error:
        raise RunError(f"{file}: cannot be written ({error.strerror or error})") from None
    return count


def for_spreadsheets(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rows with texts that a spreadsheet does not compute; a reader gets other texts."""
    for row in rows:
        yield {
            name: spreadsheet(value) if isinstance(value, str) else value
            for name, value in row.items()
        }


def _jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(plain(row), ensure_ascii=False) + "\n")


def _json(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    text = ",\n".join(json.dumps(plain(row), ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{text}\n]\n", encoding="utf-8", newline="\n")


def _separated(separator: str) -> Callable[[Path, Iterable[Mapping[str, Any]]], None]:
    def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=separator, lineterminator="\n")
            found = iter(rows)
            first = next(found)
            writer.writerow(first)
            for row in chain([first], found):
                writer.writerow(_cell(value) for value in row.values())

    return write


def _cell(value: Any) -> str:
    value = plain(value)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)  # true, 0.5, ["O", "B-PER"]


def _parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"list": pa.list_(pa.string()), "float": pa.float32(), "bool": pa.bool_()}
    found = iter(rows)
    first = list(islice(found, CHUNK))
    seen = pa.Table.from_pylist(first).schema
    named = {name: types[TYPES[name]] for name in seen.names if name in TYPES}
    columns = dict(zip(seen.names, map(_known, seen.types), strict=True)) | named
    schema = pa.schema(list(columns.items()))
    rest = chain(first, found)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := list(islice(rest, CHUNK)):
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))


def _known(type_: Any) -> Any:
    """A column's type; text where the first rows have no value."""
    import pyarrow as pa

    return pa.string() if pa.types.is_null(type_) else type_


def _sheet(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    book = spreadsheets().Workbook(write_only=True)
    sheet = book.create_sheet("labels")
    for number, row in enumerate(rows):
        if not number:
            sheet.append([_kept(sheet, name) for name in row])
        sheet.append([_kept(sheet, value) for value in row.values()])
    book.save(path)


def _kept(sheet: Any, value: Any) -> Any:
    """A cell; text stays text, also where it begins as a formula does."""
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]

    if isinstance(value, list | dict):
        value = json.dumps(plain(value), ensure_ascii=False)
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"
    return cell


_WRITERS: Mapping[str, Callable[[Path, Iterable[Mapping[str, Any]]], None]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    **{suffix: _separated(separator) for suffix, separator in SEPARATORS.items()},
    ".parquet": _parquet,
    ".xlsx": _sheet,
}
