"""File formats: one module each, all giving the same lazily read table of raw rows.

A format knows nothing of labels. It says where each row stands and what its columns hold;
``harness_tasks.checking`` makes checked examples of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness.data import Kind
from harness.errors import DataError
from harness.files import json_files, parquet
from harness.files.raw_table import Headers, RawTable
from harness_tasks.formats import conll, delimited

__all__ = ["SUFFIXES", "Headers", "RawTable", "open_table"]

Opener = Callable[[Path, Kind, Headers], RawTable]

_FORMATS: Mapping[str, Opener] = {
    ".jsonl": lambda file, kind, headers: json_files.open_lines(file),
    ".json": lambda file, kind, headers: json_files.open_array(file),
    ".csv": delimited.open_csv,
    ".tsv": delimited.open_tsv,
    ".parquet": lambda file, kind, headers: parquet.open_parquet(file, headers.known),
    ".conll": conll.open_conll,
    ".txt": conll.open_conll,
    ".iob": conll.open_conll,
    ".iob2": conll.open_conll,
    ".bio": conll.open_conll,
}
SUFFIXES = tuple(_FORMATS)
"""Suffixes of the files that can hold a split."""


def open_table(file: Path, kind: Kind, headers: Headers) -> RawTable:
    """A data file as raw rows, by its suffix; nothing is read before its rows are."""
    opener = _FORMATS.get(file.suffix.lower())
    if opener is None:
        known = ", ".join(SUFFIXES)
        raise DataError(f"{file}: no known format; a data file ends in one of {known}")
    return opener(file, kind, headers)
