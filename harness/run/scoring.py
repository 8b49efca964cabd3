"""Scores of a stage: on the pool, and on every split beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from harness.audit.duplicates import leaked
from harness.data import BoolArray, Gold, IntArray, TaskCard, take_units
from harness.metrics import Score, score
from harness.run.splits import Splits

__all__ = ["Scorer", "Scores"]


class Scores(TypedDict):
    """The scores of a ``StageResult``, by the names of its fields."""

    transductive: Score
    inductive: Score | None
    validation: Score | None
    inductive_without_leaked: Score | None


class Scorer:
    """Compares labels with gold labels, which nobody else in a run needs to see.

    Args:
        task: whose metric it is.
        splits: with their gold labels.
        without_leaked: also score the test rows whose text does not occur in the pool.
    """

    def __init__(self, task: TaskCard, splits: Splits, *, without_leaked: bool) -> None:
        self._task, self._splits = task, splits
        self._leaked: BoolArray | None = None
        if without_leaked and splits.test is not None:
            self._leaked = leaked(splits.train.pool, splits.test.pool)

    @property
    def leaked(self) -> int | None:
        """Test rows that the scores without leaked rows leave out; None if not asked for."""
        return None if self._leaked is None else int(self._leaked.sum())

    def scores(self, train: IntArray, beside: Mapping[str, IntArray]) -> Scores:
        """Score class indices, int ``[units]``, of the pool and of other splits by name.

        A split without labels (or that the run does not have) has no score.
        """
        found = {
            name: self._score(beside[name], split.gold)
            for name, split in self._splits.beside.items()
            if name in beside
        }
        return Scores(
            transductive=self._score(train, self._splits.train.gold),
            inductive=found.get("test"),
            validation=found.get("validation"),
            inductive_without_leaked=self._without_leaked(beside.get("test")),
        )

    def _without_leaked(self, labels: IntArray | None) -> Score | None:
        if self._splits.test is None or labels is None or self._leaked is None:
            return None
        kept, gold = np.flatnonzero(~self._leaked), self._splits.test.gold
        if len(kept) == 0:
            return None
        return self._score(take_units(labels, gold.offsets, kept)[0], gold.take(kept))

    def _score(self, labels: IntArray, gold: Gold) -> Score:
        return score(labels, gold, self._task)
