"""Rows as a file of JSON Lines, JSON, csv, tsv, Parquet or a workbook, by its suffix."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness.errors import CommandError, RunError
from harness.files.delimited import SEPARATORS
from harness.files.escaping import spreadsheet
from harness.files.raw_table import plain
from harness.files.workbook import spreadsheets
from harness.record.folder import new_file

CHUNK = 8192
"""Rows of a row group."""
CELL = 32_767
"""Characters that a cell of a workbook holds."""
Type: TypeAlias = Literal["list", "float", "bool", "spans"]
LABELS: Mapping[str, Type] = {
    **dict.fromkeys(("tokens", "tags", "candidates"), "list"),
    **dict.fromkeys(("trusted", "supervised"), "bool"),
    "confidence": "float",
}
"""Types of the columns that ``export.labels`` gives."""


def check_new(file: Path, option: str = "--to") -> None:
    """Raise a ``CommandError`` that names the option, for an unknown suffix or an existing file."""
    if file.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise CommandError(f"{option} {file}: its suffix says how to write it: {known}")
    if file.exists():
        raise CommandError(f"{option} {file}: exists; delete it, or choose another name")


def write_rows(
    file: Path, rows: Iterable[Mapping[str, Any]], types: Mapping[str, Type] | None = None
) -> int:
    """Write rows with the same keys atomically, as they come; returns their number.

    csv and tsv have a header, an empty cell for null, and JSON for lists.

    Args:
        file: its suffix says the format.
        rows: at least one.
        types: of columns, for Parquet; those of others are seen in their first values.

    Raises:
        RunError: if it cannot be written so.
    """
    count = 0

    def counted() -> Iterator[Mapping[str, Any]]:
        nonlocal count
        for count, row in enumerate(rows, start=1):  # noqa: B007
            yield row

    try:
        new_file(file, lambda path: _WRITERS[file.suffix.lower()](path, counted(), types or {}))
    except ValueError as error:
        raise RunError(
            f"{file}: row {count}: {error}; write .jsonl, which holds anything"
        ) from None
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


_Rows: TypeAlias = Iterable[Mapping[str, Any]]
_Types: TypeAlias = Mapping[str, Type]
_Writer: TypeAlias = Callable[[Path, _Rows, _Types], None]


def _jsonl(path: Path, rows: _Rows, types: _Types) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(plain(row), ensure_ascii=False) + "\n")


def _json(path: Path, rows: _Rows, types: _Types) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number, row in enumerate(rows):
            file.write((",\n" if number else "[\n") + json.dumps(plain(row), ensure_ascii=False))
        file.write("\n]\n")


def _separated(separator: str) -> _Writer:
    def write(path: Path, rows: _Rows, types: _Types) -> None:
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


def _parquet(path: Path, rows: _Rows, types: _Types) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = iter(rows)
    first = list(islice(found, CHUNK))
    seen = pa.Table.from_pylist(first).schema
    columns = dict(zip(seen.names, map(_known, seen.types), strict=True))
    columns |= {name: _arrow(type_) for name, type_ in types.items() if name in columns}
    schema = pa.schema(list(columns.items()))
    rest = chain(first, found)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := list(islice(rest, CHUNK)):
            try:
                table = pa.Table.from_pylist(chunk, schema=schema)
            except pa.ArrowException as error:  # one of them is no ValueError
                raise ValueError(f"other types of values than before ({error})") from None
            writer.write_table(table)


def _arrow(type_: Type) -> Any:
    import pyarrow as pa

    whole = pa.int32()
    span = {"start": whole, "end": whole, "type": pa.string(), "text": pa.string()}
    return {
        "list": pa.list_(pa.string()),
        "float": pa.float32(),
        "bool": pa.bool_(),
        "spans": pa.list_(pa.struct(list(span.items()))),
    }[type_]


def _known(type_: Any) -> Any:
    """A column's type; text where the first rows have no value."""
    import pyarrow as pa

    return pa.string() if pa.types.is_null(type_) else type_


def _sheet(path: Path, rows: _Rows, types: _Types) -> None:
    book = spreadsheets().Workbook(write_only=True)
    sheet = book.create_sheet("labels")
    for number, row in enumerate(rows):
        if not number:
            sheet.append([_kept(sheet, name) for name in row])
        sheet.append([_kept(sheet, value) for value in row.values()])
    book.save(path)


def _kept(sheet: Any, value: Any) -> Any:
    """A cell; text stays text, also where it begins as a formula does.

    A ``ValueError`` for what a workbook cannot hold.
    """
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]
    from openpyxl.utils.exceptions import IllegalCharacterError  # type: ignore[import-untyped]

    if isinstance(value, list | dict):
        value = json.dumps(plain(value), ensure_ascii=False)
    if getattr(value, "tzinfo", None) is not None:
        value = plain(value)
    if isinstance(value, str) and len(value) > CELL:
        raise ValueError(f"{len(value):,} characters, and a cell of a workbook holds {CELL:,}")
    try:
        cell = WriteOnlyCell(sheet, value)
    except IllegalCharacterError:
        raise ValueError("a control character, which no cell of a workbook holds") from None
    if isinstance(value, str):
        cell.data_type = "s"
    return cell


_WRITERS: Mapping[str, _Writer] = {
    ".jsonl": _jsonl,
    ".json": _json,
    **{suffix: _separated(separator) for suffix, separator in SEPARATORS.items()},
    ".parquet": _parquet,
    ".xlsx": _sheet,
}
