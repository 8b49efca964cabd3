"""What runs got right, aligned by example; one method less another, with its interval and test.

The one owner of paired outcomes: tables, ``harness compare``, the page and the API ask it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from harness.data import IntArray
from harness.record import layout
from harness.record.folder import RunFolder
from harness.record.outcomes import SplitOutcomes, read_outcomes
from harness.stats.holm import holm
from harness.stats.outcomes import Outcomes
from harness.stats.paired import Comparison, compare
from harness.stats.seeds import mean_of_seeds

LEAST = 2
"""Examples that two runs must share to be compared by example."""


@dataclass(frozen=True, slots=True, eq=False)
class Right:
    """What one run got right on a split.

    Attributes:
        rows: int64 ``[n]``, ascending: the numbers that ``Records`` gives the examples.
        counts: int16 ``[n, k]``, as in ``stats.outcomes``.
    """

    rows: IntArray
    counts: IntArray


Pair: TypeAlias = tuple[Right, Right]
"""Two methods, run by the same seed."""


class Records:
    """What runs got right: each file is read once, and examples are numbered by their ids."""

    def __init__(self) -> None:
        self._ids: dict[str, Any] = {}
        self._rows: dict[str, IntArray] = {}
        self._read: dict[tuple[Path, str], Mapping[str, Right]] = {}

    def of(self, folder: RunFolder | None, stage: str) -> Mapping[str, Right]:
        """Of a stage by split; empty for runs of versions that did not keep it.

        Raises:
            CorruptRunError: if the file is damaged.
        """
        if folder is None:
            return {}
        key, name = (folder.path, stage), layout.outcomes(stage)
        if key not in self._read:
            found = folder.read(name, read_outcomes) if folder.has(name) else {}
            self._read[key] = {split: self._right(split, one) for split, one in found.items()}
        return self._read[key]

    def ids(self, split: str, rows: Sequence[int]) -> tuple[str, ...]:
        """The ids of examples by their numbers."""
        return tuple(self._ids[split].take(np.asarray(rows, dtype=np.int64)).to_pylist())

    def _right(self, split: str, one: SplitOutcomes) -> Right:
        """With ascending numbers; runs of the same examples share one array of them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        known = self._ids.setdefault(split, one.ids)
        if len(new := one.ids.filter(pc.is_null(pc.index_in(one.ids, value_set=known)))):
            known = self._ids[split] = pa.concat_arrays([known, new])
        numbers = np.asarray(pc.index_in(one.ids, value_set=known), dtype=np.int64)
        order = np.argsort(numbers, kind="stable")
        rows, counts = numbers[order], one.outcomes.counts[0, order].astype(np.int16)
        same = self._rows.setdefault(split, rows)
        return Right(same if np.array_equal(same, rows) else rows, counts)


def together(seeds: Sequence[Right]) -> Outcomes:
    """Runs of one method, one a seed, over all examples that any of them has."""
    first, *others = (one.rows for one in seeds)
    if all(np.array_equal(first, rows) for rows in others):
        return Outcomes(np.stack([one.counts for one in seeds]).astype(np.int64))
    every = np.unique(np.concatenate([one.rows for one in seeds]))
    counts = np.zeros((len(seeds), len(every), seeds[0].counts.shape[1]), dtype=np.int64)
    seen = np.zeros(counts.shape[:2], dtype=np.bool_)
    for seed, one in enumerate(seeds):
        places = np.searchsorted(every, one.rows)
        counts[seed, places], seen[seed, places] = one.counts, True
    return Outcomes(counts, None if seen.all() else seen)


def common(first: Right, second: Right) -> Pair:
    """Both on the examples that both have."""
    if np.array_equal(first.rows, second.rows):
        return first, second
    rows, mine, other = np.intersect1d(first.rows, second.rows, return_indices=True)
    return Right(rows, first.counts[mine]), Right(rows, second.counts[other])


def compared(pairs: Sequence[Pair]) -> Comparison | None:
    """Second less first, from a pair a seed; None where a pair shares too few examples.

    Each pair is aligned by example. Seeds that draw other examples are one sample of all of them:
    the interval is over seeds and examples either way (``stats.seeds``).
    """
    shared = [common(first, second) for first, second in pairs]
    if not shared or min(len(first.rows) for first, _ in shared) < LEAST:
        return None
    first, second = (together([pair[side] for pair in shared]) for side in (0, 1))
    return compare(second, first)


@dataclass(frozen=True, slots=True)
class Difference:
    """One value less the baseline's, over seeds that both have.

    Attributes:
        mean: in [-1, 1] of shares.
        low, high: of the 95 % interval; None where nothing tells chance apart: seeds that all
            differ alike, or a single one without records by example.
        p: two-sided; corrected for the table once ``corrected`` has seen it; None likewise.
        n: seeds.
        examples: that both were scored on, by all seeds; 0 where only seeds are compared.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    n: int
    examples: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """A run's value: the stage it is of, and the folder that holds what the stage got right."""

    value: float
    stage: str
    folder: RunFolder | None


def difference(
    base: Mapping[int, Measured], other: Mapping[int, Measured], split: str, records: Records
) -> Difference | None:
    """The other less the base, both by seed; None without a common seed.

    ``split`` is that of the score; empty where the metric is none, which is compared by seeds.
    """
    seeds = [seed for seed in other if seed in base]
    if not seeds:
        return None
    each = [other[seed].value - base[seed].value for seed in seeds]
    mean, n = statistics.fmean(each), len(seeds)
    pairs = [pair for seed in seeds if (pair := _pair(base[seed], other[seed], split, records))]
    if len(pairs) == n and (found := compared(pairs)) is not None:
        return Difference(mean, found.interval.low, found.interval.high, found.p, n, found.examples)
    if n == 1 or isnan((over := mean_of_seeds(each)).p):
        return Difference(mean, None, None, None, n)
    return Difference(mean, over.interval.low, over.interval.high, over.p, n)


def _pair(base: Measured, other: Measured, split: str, records: Records) -> Pair | None:
    """What two runs of a seed got right; None where that is not kept."""
    if not split:
        return None
    first, second = (records.of(one.folder, one.stage).get(split) for one in (base, other))
    return None if first is None or second is None else (first, second)


def corrected(found: Sequence[Difference | None]) -> list[Difference | None]:
    """The same with p corrected by Holm for their number."""
    fixed = iter(holm([one.p for one in found if one is not None and one.p is not None]))
    return [one and (one if one.p is None else replace(one, p=next(fixed))) for one in found]
