"""What an encoder is trained on: word pieces, the labels of their units, and the plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from harness.data import ABSTAINED, OUTSIDE, Annotations, BoolArray, FloatArray, IntArray, Pool
from harness_plugins.students.encoder.pieces import Pieces
from harness_plugins.students.noise.agreement import contradicted
from harness_plugins.students.noise.estimate import WrongLabels, doubts
from harness_plugins.students.settings import Settings

LEAST_WEIGHT = 0.05
"""Weight, before scaling, of a label whose confidence is no better than chance."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """A pool as training reads it.

    Attributes:
        pool: the answered examples, in low-budget mode also the others.
        pieces: their word pieces.
        variants: the word pieces of their variants, row by row; without any, ``pieces`` again
            (two dropout masks then make the pair).
        labels: int64 ``[units]``, ``ABSTAINED`` where there is no answer, or one that
            ``student.agreement`` excludes.
        weights: float32 ``[units]``, how much each label counts; mean 1 over the answered
            examples.
        doubted: ``noise.estimate.doubts`` of the annotator.
    """

    pool: Pool
    pieces: Pieces
    variants: Pieces
    labels: IntArray
    weights: FloatArray
    doubted: float | None = None

    @classmethod
    def of(
        cls,
        pool: Pool,
        annotations: Annotations,
        pieces: Pieces,
        variants: Pieces,
        settings: Settings,
        classes: int = 2,
    ) -> TrainingData:
        """Labels and weights of a pool's units, for a number of classes."""
        weights = np.ones(len(pool), dtype=np.float32)
        if settings.weighted:
            answered = annotations.answered
            weights[answered] = confidence_weights(annotations.confidence[answered], classes)
        labels = annotations.labels.astype(np.int64)
        if settings.agreement:
            kept = np.where(contradicted(pool, labels), ABSTAINED, labels)
            if (kept != ABSTAINED).any():  # a handful of sentences may have nothing else
                labels = kept
        spread = np.repeat(weights, np.diff(pool.offsets))
        return cls(pool, pieces, variants, labels, spread, doubts(annotations))

    @property
    def answered(self) -> BoolArray:
        """bool ``[units]``."""
        return np.asarray(self.labels != ABSTAINED)

    def groups(self, by: Literal["all", "class"]) -> IntArray:
        """int64 ``[units]``: the groups that have a mixture each (``noise.mixture``)."""
        if by == "class":
            return self.labels
        if self.pool.kind == "sequence":
            return np.zeros(len(self.labels), dtype=np.int64)
        return np.asarray(self.labels > OUTSIDE, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All that a training needs besides the model.

    Attributes:
        settings: with ``clean=auto`` already resolved.
        pad: id of the padding piece.
        seed: of batches, mixup and dropout.
        wrong: what was estimated before training; None: nothing.
        adjusted: the loss is of classes that are equally frequent (``terms``).
        checkpoints: folder of checkpoints; None: none are kept.
        key: of the checkpoints.
        seconds: of training between two of them.
    """

    data: TrainingData
    settings: Settings
    pad: int
    seed: int
    wrong: WrongLabels | None = None
    adjusted: bool = False
    checkpoints: Path | None = None
    key: str = ""
    seconds: float = 0.0


def training_rows(annotations: Annotations, settings: Settings) -> IntArray:
    """Rows of a pool that training reads: the answered ones, or all."""
    if settings.unlabelled:
        return np.arange(len(annotations))
    return np.flatnonzero(annotations.answered)


def confidence_weights(confidence: FloatArray, classes: int) -> FloatArray:
    """float32 ``[n]`` with mean 1: ``max((c - 1/C) / (1 - 1/C), LEAST_WEIGHT)``, scaled.

    Annotators are mostly unsure of their wrong labels: a confidence of chance, 1/C, weighs least,
    certainty in full. Ours; results/LOG.md has its effect.

    Args:
        confidence: float ``[n]`` in [0, 1]; a label with NaN counts in full.
        classes: C, at least 2.
    """
    chance = 1 / classes
    above = (np.nan_to_num(confidence, nan=1.0) - chance) / (1 - chance)
    weights = np.maximum(above, LEAST_WEIGHT)
    return np.asarray(weights / max(float(weights.mean()), LEAST_WEIGHT), dtype=np.float32)
