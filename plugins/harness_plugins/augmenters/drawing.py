"""Augmenters that draw: a rate in the spec, a generator for each example, weighted draws."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np

from harness.data import Pool
from harness.errors import CommandError
from harness.protocols import Progress, Variants
from harness.specs import Spec

SHOWN = 1000
"""Examples between two updates of the progress."""

Key = TypeVar("Key")
Item = TypeVar("Item", bound="str | tuple[str, ...]")
Example = TypeVar("Example")


def generator(seed: int, id_: str) -> np.random.Generator:
    """Seeded by the example, so that its variant is the same in every pool and order."""
    digest = hashlib.sha256(id_.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def varied(
    pool: Pool,
    examples: Iterable[Example],
    vary: Callable[[Example, np.random.Generator], str | tuple[str, ...]],
    seed: int,
    progress: Progress,
) -> Variants:
    """A variant of each example of a pool, in its order."""
    made: list[Any] = []
    for row, (id_, example) in enumerate(zip(pool.ids, examples, strict=True)):
        made.append(vary(example, generator(seed, id_)))
        if row % SHOWN == 0:
            progress(row, len(pool))
    progress(len(pool), len(pool))
    return Variants(replace(pool, examples=made))


class Frequencies(Generic[Key, Item]):
    """Items in groups, drawn as often as they occur."""

    def __init__(self, counts: Mapping[Key, Counter[Item]]) -> None:
        self._items = {key: sorted(own) for key, own in counts.items()}
        self._sums = {
            key: np.cumsum([counts[key][item] for item in items])
            for key, items in self._items.items()
        }

    def draw(self, key: Key, rng: np.random.Generator) -> Item:
        """An item of a group."""
        sums = self._sums[key]
        return self._items[key][int(np.searchsorted(sums, rng.integers(sums[-1]), side="right"))]

    def draw_other(self, key: Key, item: Item, rng: np.random.Generator) -> Item:
        """Another item of a group; the item itself where there is none."""
        items, sums = self._items[key], self._sums[key]
        at = bisect_left(items, item)
        before = int(sums[at - 1]) if at else 0
        own = int(sums[at]) - before
        if own == sums[-1]:
            return item
        drawn = int(rng.integers(int(sums[-1]) - own))
        drawn += own if drawn >= before else 0  # as if its own occurrences were not there
        return items[int(np.searchsorted(sums, drawn, side="right"))]


def rate_of(spec: Spec, default: float, option: str | None = None) -> float:
    """A share in the argument (``name:0.2``), in (0, 1], or in an option, in [0, 1]."""
    text = spec.argument if option is None else spec.options.get(option)
    if text is None:
        return default
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1 or (option is None and rate == 0):
        where = f"{option}={text}" if option else text
        above = "above 0 and at most 1" if option is None else "from 0 to 1"
        raise CommandError(f"{spec}: {where!r} is not a share {above}, such as {spec.name}:0.2")
    return rate
