"""How the annotator confuses labels: an estimate from the labels themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data import FloatArray, IntArray

SHARE = 0.5
"""Share of the labels of a class whose number of examples stands for it."""
FEWEST = 10
LEAST = 1e-3
"""Of every entry: no annotator errs with probability 0."""
SURE = 1.5
"""Standard errors by which a label must be more frequent where it is right than elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelNoise:
    """What is known of the labels' errors before training.

    Attributes:
        transition: float32 ``[classes, classes]`` of ``estimate_transition``; None: no correction.
        wrong: estimated share of wrong labels, in [0, 1], the mean over the classes that occur;
            None: unknown.
    """

    transition: FloatArray | None = None
    wrong: float | None = None


def estimate_transition(log_probabilities: FloatArray, labels: IntArray) -> FloatArray | None:
    """``T`` with ``T_ij = p(label j | true i)``, float32 ``[classes, classes]``, rows sum to 1.

    Anchors (Patrini et al., CVPR 2017, eq. 12-13): the most probable examples of class i are
    taken to be of class i; their labels give row i. Ours: the probabilities are out-of-fold, so
    that no label confirms itself; they are divided by how frequent each label is, so that rare
    classes have anchors, too; a class has half as many anchors as labels, not one; the anchors'
    labels are counted, not their probabilities, which a weak model draws towards the middle.

    None where a class's label is not significantly more frequent among its own anchors than
    among another class's (the model is too weak, the labels too few, or the annotator no better
    than chance): half a matrix does more harm than none (results/LOG.md).

    Args:
        log_probabilities: float ``[n, classes]`` of models that have not seen the example.
        labels: int ``[n]``, the annotator's.
    """
    classes = log_probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return None
    lifts = log_probabilities[:, present] - np.log(counts[present] / len(labels))
    estimate = np.eye(classes)
    sizes = np.ones(classes)
    for column, one in enumerate(present):
        sizes[one] = size = min(len(labels), max(FEWEST, round(SHARE * int(counts[one]))))
        margins = lifts[:, column] - np.delete(lifts, column, axis=1).max(axis=1)
        anchors = np.argsort(-margins, kind="stable")[:size]
        estimate[one] = (np.bincount(labels[anchors], minlength=classes) + 1 / classes) / (size + 1)
    if not all(_distinct(estimate, sizes, int(one), present) for one in present):
        return None
    estimate = np.maximum(estimate, LEAST)
    return np.asarray(estimate / estimate.sum(axis=1, keepdims=True), dtype=np.float32)


def _distinct(estimate: FloatArray, sizes: FloatArray, one: int, present: IntArray) -> bool:
    """Whether a label is significantly more frequent among its own anchors than among others."""
    others = present[present != one]
    errors = estimate[:, one] * (1 - estimate[:, one]) / sizes
    gaps = estimate[one, one] - estimate[others, one]
    return bool((gaps > SURE * np.sqrt(errors[one] + errors[others])).all())
