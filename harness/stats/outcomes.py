"""What methods got right, example by example: what all statistics are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What runs of one method, one a seed, got right.

    Attributes:
        counts: int64 ``[seeds, n, k]``. Accuracy, k = 1: 1 where the example is right.
            Entity F1, k = 3: of each sentence the mentions that are right, said and true.
        seen: bool ``[seeds, n]``: which examples each run was scored on, where seeds draw others
            (the counts of the rest are 0); None: all.
    """

    counts: IntArray
    seen: BoolArray | None = None

    def __post_init__(self) -> None:
        if self.counts.ndim != 3 or 0 in self.counts.shape or self.counts.shape[2] not in (1, 3):
            raise ValueError(f"counts of shape {self.counts.shape}: no outcomes of any example")

    @classmethod
    def of_examples(cls, right: BoolArray) -> Outcomes:
        """Of accuracy: bool ``[n]`` of one seed, or ``[seeds, n]``."""
        return cls(np.atleast_2d(np.asarray(right, dtype=np.int64))[:, :, None])

    @classmethod
    def of_mentions(cls, counts: IntArray) -> Outcomes:
        """Of entity F1: int ``[n, 3]`` of one seed, or ``[seeds, n, 3]``; ``mention_counts``."""
        counts = np.asarray(counts, dtype=np.int64)
        return cls(counts[None] if counts.ndim == 2 else counts)

    @property
    def seeds(self) -> int:
        """How many runs."""
        return int(self.counts.shape[0])

    @property
    def examples(self) -> int:
        """How many examples the runs were scored on, together."""
        return int(self.counts.shape[1])

    @property
    def scores(self) -> FloatArray:
        """float64 ``[seeds]``: accuracy, or micro-F1, of each run, in [0, 1]."""
        each = self.examples if self.seen is None else self.seen.sum(axis=1)
        return score_of(self.counts.sum(axis=1), each)

    @property
    def score(self) -> float:
        """Their mean."""
        return float(self.scores.mean())


def score_of(totals: npt.NDArray[Any], examples: int | IntArray) -> FloatArray:
    """Scores of sums over so many examples, ``[..., k]`` to float64 ``[...]``.

    k = 1: accuracy. k = 3: micro-F1, 2 right / (said + true); 0 where nothing is said or true.
    """
    if totals.shape[-1] == 1:
        return np.asarray(totals[..., 0] / examples, dtype=np.float64)
    return np.asarray(2 * totals[..., 0] / np.maximum(totals[..., 1] + totals[..., 2], 1))


def paired_counts(first: Outcomes, second: Outcomes) -> tuple[IntArray, IntArray]:
    """The counts of both.

    Raises:
        ValueError: if they are not of the same examples, metric and number of seeds.
    """
    if first.counts.shape != second.counts.shape:
        raise ValueError(
            f"outcomes of shape {first.counts.shape} and {second.counts.shape} are no pairs"
        )
    return first.counts, second.counts


def mention_counts(said: IntArray, true: IntArray, offsets: IntArray) -> IntArray:
    """int64 ``[n, 3]``: mentions of each sentence that are right (span and type), said, true.

    Args:
        said: int ``[units]``, valid IOB2 classes (``O, B-1, I-1, ...``); -1 counts as ``O``.
        true: the same of gold.
        offsets: int64 ``[n + 1]``, where sentences begin and end.
    """
    lengths, others = _mention_lengths(said, offsets), _mention_lengths(true, offsets)
    right = (lengths > 0) & (lengths == others) & (said == true)
    columns = [right, lengths > 0, others > 0]
    return np.stack([np.add.reduceat(c.astype(np.int64), offsets[:-1]) for c in columns], axis=1)


def _mention_lengths(tags: IntArray, offsets: IntArray) -> IntArray:
    """int64 ``[units]``: the tokens of the mention that begins there; 0 where none does."""
    begins = (tags > 0) & (tags % 2 == 1)
    inside = (tags > 0) & ~begins  # of valid tags: goes on with the mention before
    mention = np.cumsum(begins) - 1
    lengths = np.zeros(len(tags), dtype=np.int64)
    lengths[begins] = 1 + np.bincount(mention[inside], minlength=int(begins.sum()))
    return lengths
