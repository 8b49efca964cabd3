"""What an encoder is trained on: word pieces, and the labels of their units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.data import ABSTAINED, OUTSIDE, Annotations, BoolArray, FloatArray, IntArray, Pool
from harness_plugins.students.encoder.pieces import Pieces
from harness_plugins.students.noise.agreement import contradicted
from harness_plugins.students.noise.weights import confidence_weights
from harness_plugins.students.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A pool as training sees it.

    Attributes:
        pool: the examples, those that the annotator did not answer only in low-budget mode.
        pieces: their word pieces.
        variants: the word pieces of their variants, row by row; ``pieces`` again where
            there are none (two dropout masks make the pair then).
        labels: int64 ``[units]``, ``ABSTAINED`` where there is no answer, or one that is doubted
            from the start (``students.agreement``).
        weights: float32 ``[units]``, how much each label counts; mean 1 over the answered
            examples.
    """

    pool: Pool
    pieces: Pieces
    variants: Pieces
    labels: IntArray
    weights: FloatArray

    @property
    def answered(self) -> BoolArray:
        """bool ``[units]``."""
        return np.asarray(self.labels != ABSTAINED)

    def groups(self, by: Literal["all", "class"]) -> IntArray:
        """int64 ``[units]``: what the small-loss criterion judges apart (``students.mixture``)."""
        if by == "class":
            return self.labels
        if self.pool.kind == "sequence":
            return np.zeros(len(self.labels), dtype=np.int64)
        return np.asarray(self.labels > OUTSIDE, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """What was found out before training (``students.probing``).

    Attributes:
        transition: float32 ``[classes, classes]``, or None: no correction.
        wrong: estimated share of wrong labels, in [0, 1]; None: unknown.
    """

    transition: FloatArray | None = None
    wrong: float | None = None


def lesson_rows(annotations: Annotations, settings: Settings) -> IntArray:
    """Rows of a pool that training sees: the answered ones, or all."""
    if settings.unlabelled:
        return np.arange(len(annotations))
    return np.flatnonzero(annotations.answered)


def make_lesson(
    pool: Pool,
    said: Annotations,
    pieces: Pieces,
    variants: Pieces,
    settings: Settings,
    classes: int = 2,
) -> Lesson:
    """Labels and weights of a pool's units, each of which has one of so many classes."""
    weights = np.ones(len(pool), dtype=np.float32)
    if settings.weighted:
        answered = said.answered
        weights[answered] = confidence_weights(said.confidence[answered], classes)
    per_unit = np.repeat(weights, np.diff(pool.offsets))
    labels = said.labels.astype(np.int64)
    if settings.agreement:
        left = np.where(contradicted(pool, labels), ABSTAINED, labels)
        if (left != ABSTAINED).any():  # a handful of sentences may have nothing else
            labels = left
    return Lesson(pool, pieces, variants, labels, per_unit)
