"""Parquet, with the class names that ``datasets`` keeps in the schema."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.data import Kind
from harness.errors import DataError
from harness_tasks.formats.table import RawRow, RawTable

BATCH = 1024


def open_parquet(file: Path, kind: Kind, columns: Collection[str]) -> RawTable:
    """A ``.parquet`` file; rows are counted from 1."""
    return RawTable(str(file), lambda: _rows(file), class_names=_names_in(file))


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


def _names_in(file: Path) -> dict[str, tuple[str, ...]]:
    metadata = _open(file).schema_arrow.metadata or {}
    try:
        info = json.loads(metadata.get(b"huggingface", b"{}"))
        return class_names(info.get("info", {}).get("features") or {})
    except (ValueError, AttributeError, KeyError, TypeError):
        raise DataError(f"{file}: its schema has features that cannot be read") from None


def _rows(file: Path) -> Iterator[RawRow]:
    number = 0
    for batch in _open(file).iter_batches(batch_size=BATCH):
        for row in batch.to_pylist():
            number += 1
            yield f"{file}: row {number}", row


def _open(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:120]
        raise DataError(f"{file}: not a readable Parquet file ({said})") from None
