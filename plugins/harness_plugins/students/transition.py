"""How the annotator distorts labels: an estimate from the labels themselves."""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray

__all__ = ["estimate_transition"]

SHARE = 0.25
"""Share of the labels of a class whose examples stand for it."""
FEWEST = 10
LEAST = 1e-3
"""Of every entry: no annotator errs with probability 0."""


def estimate_transition(log_probabilities: FloatArray, labels: IntArray) -> FloatArray:
    """``T`` with ``T_ij = p(said j | true i)``, float32 ``[classes, classes]``, rows sum to 1.

    Anchors (Patrini et al., CVPR 2017, eq. 12-13): the examples that look most like class i
    are of class i; what was said of them is row i. Ours: the looks are out-of-fold
    probabilities, so that no label speaks for itself; a quarter of the labels of a class
    are its anchors, not one; and it is the labels of the anchors that are counted, not their
    probabilities, which a weak model draws towards the middle.

    Args:
        log_probabilities: float ``[n, classes]`` of models that have not seen the example.
        labels: int ``[n]``, what the annotator said.
    """
    classes = log_probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    estimate = np.eye(classes)
    for one in np.flatnonzero(counts):
        size = min(len(labels), max(FEWEST, round(SHARE * int(counts[one]))))
        anchors = np.argsort(-log_probabilities[:, one], kind="stable")[:size]
        said = np.bincount(labels[anchors], minlength=classes)
        estimate[one] = (said + 1 / classes) / (size + 1)
    estimate = np.maximum(estimate, LEAST)
    return np.asarray(estimate / estimate.sum(axis=1, keepdims=True), dtype=np.float32)
