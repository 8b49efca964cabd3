"""Parquet, with the class names that ``datasets`` keeps in the schema.

Compression and dictionaries make gigabytes of a few kilobytes. A file that grows beyond all
measure is refused before that much is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.files.delimited import refuse_twice
from harness.files.raw_table import RawRow, RawTable

BATCH = 1024
GROWTH = 100
"""How many times its size on disk a file may take, once it takes more than ``FREE`` bytes."""
FREE = 2**28


def open_parquet(file: Path, known: Collection[str] | None = None) -> RawTable:
    """A ``.parquet`` file; rows are counted from 1.

    Args:
        file: with its columns.
        known: the columns to read; None: all. Others are there by name alone.

    Raises:
        DataError: if it is damaged, grows beyond all measure, or has a column twice.
    """
    with _opened(file) as parquet:
        names = parquet.schema_arrow.names
        refuse_twice(names, str(file))
        wanted = [name for name in names if known is None or name in known]
        leaves = [
            path
            for path in (parquet.schema.column(n).path for n in range(len(parquet.schema)))
            if path.partition(".")[0] in wanted
        ]
        _check_growth(file, _announced(parquet.metadata, leaves))
        found = _names_in(file, parquet.schema_arrow.metadata or {})
    with _opened(file, leaves) as parquet:
        size = 0
        for group in range(parquet.metadata.num_row_groups):
            columns = parquet.read_row_group(group, columns=wanted).columns
            size += sum(_size(chunk) for column in columns for chunk in column.chunks)
            _check_growth(file, size)
    return RawTable(str(file), lambda: _rows(file, names, wanted), class_names=found)


def class_names(features: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names of each ClassLabel column, from features as ``datasets`` writes them.

    A list of class labels is ``{"_type": "List", "feature": ...}``, in older files a list
    of one or ``{"_type": "Sequence", ...}``.
    """
    found = {}
    for column, feature in features.items():
        inner = feature[0] if isinstance(feature, list) and feature else feature
        if isinstance(inner, dict) and inner.get("_type") in ("List", "Sequence", "LargeList"):
            inner = inner.get("feature")
        if isinstance(inner, dict) and inner.get("_type") == "ClassLabel":
            found[column] = tuple(inner["names"])
    return found


def _names_in(file: Path, metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    try:
        info = json.loads(metadata.get(b"huggingface", b"{}"))
        return class_names(info.get("info", {}).get("features") or {})
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        raise DataError(f"{file}: its schema has features that cannot be read") from None


def _rows(file: Path, names: Sequence[str], wanted: list[str]) -> Iterator[RawRow]:
    """The rows; columns that the task does not know are there by name, and not read."""
    number = 0
    unread = dict.fromkeys(names)
    with _opened(file) as parquet:
        for batch in parquet.iter_batches(batch_size=BATCH, columns=wanted):
            for row in batch.to_pylist():
                number += 1
                yield f"{file}: row {number}", unread | row


@contextmanager
def _opened(file: Path, dictionaries: list[str] | None = None) -> Iterator[Any]:
    """The file; text columns named as dictionaries keep a repeated text once in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, read_dictionary=dictionaries) as parquet:
            yield parquet
    except (OSError, ValueError, KeyError, OverflowError, MemoryError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:120]
        raise DataError(f"{file}: not a readable Parquet file ({said}); get it anew") from None


def _announced(metadata: Any, leaves: list[str]) -> int:
    """Bytes that some columns have at least, as the file itself says."""
    size = 0
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            if chunk.path_in_schema in leaves:
                size += max(chunk.total_uncompressed_size, 8 * chunk.num_values)
    return size


def _check_growth(file: Path, size: int) -> None:
    small = file.stat().st_size
    if size > FREE and size > GROWTH * small:
        raise DataError(
            f"{file}: its {small:,} bytes grow to {size:,} and more, as no data does; if it is "
            "sound, write it as .jsonl"
        )


def _size(column: Any) -> int:
    """Bytes of a column's texts as they are without a dictionary, and of anything else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return _size(column.flatten())
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary)
    return 8 * len(column) + int(pc.sum(pc.take(lengths, column.indices)).as_py() or 0)
