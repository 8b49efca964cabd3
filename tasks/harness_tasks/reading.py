"""Checked rows become a split: the examples, and apart their gold labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from harness.data import Gold, Kind, Pool, offsets_of
from harness.identity import example_ids
from harness_tasks.checking import Row, Schema, checked_rows
from harness_tasks.declaration import HubSource
from harness_tasks.formats import open_table

__all__ = ["Rows", "collect", "read_rows", "rows_of_files"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One split as read: examples apart from gold."""

    pool: Pool
    gold: Gold


def collect(rows: Iterable[Row], split: str, kind: Kind) -> Rows:
    """Keep checked rows. Everything that is loaded, from files or the hub, comes through here.

    Args:
        rows: read once, in order.
        split: the name that the examples' ids begin with (``identity.example_ids``).
        kind: kind of the task.
    """
    examples: list[str | tuple[str, ...]] = []
    labels: list[int] = []
    lengths: list[int] = []
    for row in rows:
        examples.append(row.example)
        labels.extend(row.labels)
        lengths.append(len(row.labels))
    texts = [text if isinstance(text, str) else " ".join(text) for text in examples]
    ids = example_ids(split, texts)
    pool = Pool(kind=kind, split=split, ids=ids, examples=examples)  # type: ignore[arg-type]
    return Rows(pool, Gold(split, np.asarray(labels, dtype=np.int32), offsets_of(lengths)))


def rows_of_files(files: Sequence[Path], schema: Schema, notes: list[str]) -> Iterator[Row]:
    """The checked rows of the files of one split, one file after the other."""
    tables = (open_table(file, schema.kind, schema.columns) for file in files)
    return chain.from_iterable(checked_rows(table, schema, notes) for table in tables)


def read_rows(
    file: Path, split: str, kind: Kind, classes: Sequence[str], hub: HubSource | None = None
) -> Rows:
    """Read one file, in any of the formats.

    Raises:
        DataError: naming file and row.
    """
    return collect(rows_of_files([file], Schema(kind, tuple(classes), hub), []), split, kind)
