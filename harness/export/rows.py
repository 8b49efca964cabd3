"""Rows as a file of JSON Lines, csv, tsv or Parquet, by its suffix."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from harness.errors import CommandError, RunError
from harness.escaping import spreadsheet
from harness.files.delimited import SEPARATORS
from harness.record.folder import new_file

CHUNK = 8192
"""Rows of a row group."""
TYPES = {"tokens": "list", "tags": "list", "confidence": "float",
         "trusted": "bool", "supervised": "bool"}  # fmt: skip
"""Types of the columns other than text."""


def check_new(file: Path) -> None:
    """Raise a ``CommandError`` for an unknown suffix, or a file that exists."""
    if file.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise CommandError(f"--to {file}: the suffix says how to write it; it is one of {known}")
    if file.exists():
        raise CommandError(f"--to {file}: exists; delete it, or choose another name")


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
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


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
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)  # true, 0.5, ["O", "B-PER"]


def _parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"list": pa.list_(pa.string()), "float": pa.float32(), "bool": pa.bool_()}
    found = iter(rows)
    first = next(found)
    schema = pa.schema([(name, types.get(TYPES.get(name, ""), pa.string())) for name in first])
    rest = chain([first], found)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := list(islice(rest, CHUNK)):
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))


_WRITERS: Mapping[str, Callable[[Path, Iterable[Mapping[str, Any]]], None]] = {
    ".jsonl": _jsonl,
    **{suffix: _separated(separator) for suffix, separator in SEPARATORS.items()},
    ".parquet": _parquet,
}
