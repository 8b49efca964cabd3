"""The pool and the test set of a run, drawn by its seed, each with its gold apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data import Gold, Pool
from harness.errors import DataError
from harness.protocols import Task

__all__ = ["Split", "Splits", "load_splits"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One split: what parts see, and what only metrics see."""

    pool: Pool
    gold: Gold


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """What a run works on; ``test`` is None in the transductive setting."""

    train: Split
    test: Split | None


def load_splits(task: Task, *, inductive: bool, limit: int | None, seed: int) -> Splits:
    """Load and draw the splits.

    Examples always come in an order drawn by the seed, also without a limit: some data
    sets are sorted by class, and a position must tell nothing about a label.

    Raises:
        DataError: if a split that the run needs is missing or empty.
    """
    test = _draw(task, "test", limit, seed) if inductive else None
    return Splits(train=_draw(task, "train", limit, seed), test=test)


def _draw(task: Task, split: str, limit: int | None, seed: int) -> Split:
    pool, gold = task.load(split), task.gold(split)
    if pool is None or gold is None:
        hint = "; use --setting transductive to do without it" if split == "test" else ""
        raise DataError(f"task {task.card.name!r} has no {split} split{hint}")
    if len(pool) == 0:
        raise DataError(f"task {task.card.name!r}: its {split} split is empty")
    rng = np.random.default_rng([seed, *split.encode()])
    rows = rng.permutation(len(pool))[:limit]
    return Split(pool.take(rows), gold.take(rows))
