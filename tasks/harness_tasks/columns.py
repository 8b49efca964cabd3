"""Columns of a stored split: memory-mapped, read row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from harness.data import Column, IntArray

T = TypeVar("T")

BLOCK = 4096
"""Rows that are in memory at a time while a column is iterated over."""


class ArrowColumn(Column[T]):
    """Texts, or sentences of tokens, in the batches of an Arrow file.

    Args:
        batches: arrays of equal length, but for the last, which may be shorter.
        rows: int64 ``[n]``, the rows that this column has, in its order; None: all.
    """

    def __init__(self, batches: list[Any], rows: IntArray | None = None) -> None:
        self._batches = batches
        self._size = len(batches[0]) if batches else 1
        total = sum(len(batch) for batch in batches)
        self._rows = np.arange(total, dtype=np.int64) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return ArrowColumn(self._batches, self._rows[row])
        batch, place = divmod(int(self._rows[row]), self._size)
        return _plain(self._batches[batch][place].as_py())

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self._rows), BLOCK):
            yield from self._read(self._rows[start : start + BLOCK])

    def take(self, rows: IntArray) -> ArrowColumn[T]:
        """The given rows, in the given order, none of them read yet."""
        return ArrowColumn(self._batches, self._rows[rows])

    def lengths(self) -> IntArray:
        """int64 ``[n]``: the tokens of each sentence."""
        counts = [np.asarray(batch.value_lengths(), dtype=np.int64) for batch in self._batches]
        return np.concatenate(counts)[self._rows]

    def _read(self, rows: IntArray) -> list[T]:
        """The items of some rows, each batch touched once."""
        batch, place = np.divmod(rows, self._size)
        found: list[Any] = [None] * len(rows)
        order = np.argsort(batch, kind="stable")
        bounds = np.flatnonzero(np.diff(batch[order])) + 1
        for own in np.split(order, bounds):
            items = self._batches[batch[own[0]]].take(place[own]).to_pylist()
            for position, item in zip(own.tolist(), items, strict=True):
                found[position] = _plain(item)
        return found


class IdColumn(Column[str]):
    """Ids of examples, written when asked for (``identity.example_ids``).

    Args:
        keys: uint64 ``[n]``, the texts' keys (``identity.text_key``) as numbers.
        occurrences: int32 ``[n]``, 1 where a text occurs for the first time in its file.
    """

    def __init__(self, split: str, keys: IntArray, occurrences: IntArray) -> None:
        self._split, self._keys, self._occurrences = split, keys, occurrences

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return IdColumn(self._split, self._keys[row], self._occurrences[row])
        return self._id(int(self._keys[row]), int(self._occurrences[row]))

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BLOCK):
            rows = slice(start, start + BLOCK)
            keys, occurrences = self._keys[rows].tolist(), self._occurrences[rows].tolist()
            yield from map(self._id, keys, occurrences)

    def take(self, rows: IntArray) -> IdColumn:
        """The given rows, in the given order."""
        return IdColumn(self._split, self._keys[rows], self._occurrences[rows])

    def _id(self, key: int, occurrence: int) -> str:
        return f"{self._split}:{key:016x}" + (f".{occurrence}" if occurrence > 1 else "")


def _plain(item: Any) -> Any:
    return tuple(item) if isinstance(item, list) else item
