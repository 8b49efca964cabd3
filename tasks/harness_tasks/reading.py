"""Checked rows become a split: the examples, and apart their gold labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from harness.errors import DataError
from harness_tasks.checking import Row, checked_rows
from harness_tasks.formats import RawTable, open_table
from harness_tasks.roles import Schema

READING = 4
"""Version of how files are read. Raise it when the same file gives other examples."""


def key_of_files(files: Sequence[Path], schema: Schema) -> str:
    """SHA-256 (hex) over all that decides which rows come out of them."""
    digest = hashlib.sha256(f"reading {READING} {schema}".encode())
    for file in files:
        digest.update(file.suffix.encode())
        try:
            with file.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def key_of_table(table: RawTable, schema: Schema) -> str | None:
    """The same of a split from the hub; None where its content is not known unread."""
    if table.fingerprint is None:
        return None
    said = f"reading {READING} {schema} {table.fingerprint}"
    return hashlib.sha256(said.encode()).hexdigest()


def rows_of_files(files: Sequence[Path], schema: Schema, notes: list[str]) -> Iterator[Row]:
    """The checked rows of the files of one split, one file after the other."""
    tables = (open_table(file, schema.kind, schema.headers) for file in files)
    return chain.from_iterable(checked_rows(table, schema, notes) for table in tables)
