"""How the annotator distorts labels: an estimate from the labels themselves."""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray

SHARE = 0.5
"""Share of the labels of a class whose number of examples stands for it."""
FEWEST = 10
LEAST = 1e-3
"""Of every entry: no annotator errs with probability 0."""
SURE = 1.5
"""Standard errors by which a label must be more frequent where it is right than elsewhere."""


def estimate_transition(log_probabilities: FloatArray, labels: IntArray) -> FloatArray | None:
    """``T`` with ``T_ij = p(said j | true i)``, float32 ``[classes, classes]``, rows sum to 1.

    Anchors (Patrini et al., CVPR 2017, eq. 12-13): the examples that look most like class i
    are of class i; what was said of them is row i. Ours: the looks are out-of-fold
    probabilities, so that no label speaks for itself; they are compared to how often each
    class is said, so that a class which is said seldom has anchors, too; half as many
    examples as there are labels of the class are its anchors, not one; and it is the labels
    of the anchors that are counted, not their probabilities, which a weak model draws towards
    the middle.

    Where a class's label is not surely said more often of its own anchors than of another
    class's, nothing was learnt of the class (the model is too weak, its labels too few, or the
    annotator no better than chance). Half a matrix does more harm than none (results/LOG.md),
    so the answer is None then.

    Args:
        log_probabilities: float ``[n, classes]`` of models that have not seen the example.
        labels: int ``[n]``, what the annotator said.
    """
    classes = log_probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    said = np.flatnonzero(counts)
    if len(said) < 2:
        return None
    lifts = log_probabilities[:, said] - np.log(counts[said] / len(labels))
    estimate = np.eye(classes)
    sizes = np.ones(classes)
    for column, one in enumerate(said):
        sizes[one] = size = min(len(labels), max(FEWEST, round(SHARE * int(counts[one]))))
        margins = lifts[:, column] - np.delete(lifts, column, axis=1).max(axis=1)
        anchors = np.argsort(-margins, kind="stable")[:size]
        estimate[one] = (np.bincount(labels[anchors], minlength=classes) + 1 / classes) / (size + 1)
    if not all(_distinct(estimate, sizes, int(one), said) for one in said):
        return None
    estimate = np.maximum(estimate, LEAST)
    return np.asarray(estimate / estimate.sum(axis=1, keepdims=True), dtype=np.float32)


def _distinct(estimate: FloatArray, sizes: FloatArray, one: int, said: IntArray) -> bool:
    """Whether a label is said of its own class more often than of any other, surely."""
    others = said[said != one]
    errors = estimate[:, one] * (1 - estimate[:, one]) / sizes
    gaps = estimate[one, one] - estimate[others, one]
    return bool((gaps > SURE * np.sqrt(errors[one] + errors[others])).all())
