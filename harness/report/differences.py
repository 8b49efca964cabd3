"""How one row of a table differs from another, on the examples and seeds that both have."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

from harness.record.folder import RunFolder
from harness.report.comparison import Pair, aligned, compare_pairs, outcomes_in
from harness.stats.holm import holm
from harness.stats.paired import compare_seed_by_seed


@dataclass(frozen=True, slots=True)
class Difference:
    """One value less the baseline's, over seeds that both have.

    Attributes:
        mean: in [-1, 1] of shares.
        low, high: of the 95 % interval; None where nothing tells chance apart: seeds that all
            differ alike, or a single one without records by example.
        p: two-sided; corrected for the table once ``corrected`` has seen it; None likewise.
        n: seeds.
        examples: that both were scored on, of all seeds; 0 where only seeds are compared.
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
    base: Mapping[int, Measured], other: Mapping[int, Measured], split: str
) -> Difference | None:
    """The other less the base, both by seed; None without a common seed.

    ``split`` is that of the score; empty where the metric is none, which is compared by seeds.
    """
    seeds = [seed for seed in other if seed in base]
    if not seeds:
        return None
    each = [other[seed].value - base[seed].value for seed in seeds]
    pairs = [pair for seed in seeds if (pair := _pair(base[seed], other[seed], split))]
    mean = statistics.fmean(each)
    if len(pairs) == len(seeds):
        found = compare_pairs(pairs)
    elif len(seeds) > 1:
        found = compare_seed_by_seed(each, 0)
    else:
        return Difference(mean, None, None, None, 1)
    if isnan(found.p):
        return Difference(mean, None, None, None, len(seeds), found.examples)
    low, high = found.interval.low, found.interval.high
    return Difference(mean, low, high, found.p, len(seeds), found.examples)


def corrected(found: Sequence[Difference | None]) -> list[Difference | None]:
    """The same with p corrected by Holm for their number."""
    fixed = iter(holm([one.p for one in found if one is not None and one.p is not None]))
    return [one and (one if one.p is None else replace(one, p=next(fixed))) for one in found]


def _pair(base: Measured, other: Measured, split: str) -> Pair | None:
    """What two runs of a seed got right; None where that is not kept."""
    if not split or base.folder is None or other.folder is None:
        return None
    first = outcomes_in(base.folder, base.stage).get(split)
    second = outcomes_in(other.folder, other.stage).get(split)
    return None if first is None or second is None else aligned(first, second)
