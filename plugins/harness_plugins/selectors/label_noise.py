"""Whose label to believe, by a model of the noise: loss mixtures and confident learning."""

from __future__ import annotations

import numpy as np

from harness.data import ABSTAINED, FloatArray, IntArray
from harness.protocols import Evidence
from harness_plugins.students.noise.mixture import clean_by_mixture

THRESHOLD = 0.7
"""Probability of the lower component (FreeAL's reference code)."""


def mixture(evidence: Evidence, rng: np.random.Generator, threshold: float = THRESHOLD) -> IntArray:
    """Rows whose loss belongs to the lower component of a Gaussian mixture of two.

    FreeAL, section 3.3 (there it splits the pool for training), after DivideMix (Li et al.,
    ICLR 2020); ``clean_by_mixture`` has the details.
    """
    rows = np.flatnonzero(evidence.groups != ABSTAINED)
    seed = int(rng.integers(2**31))
    return rows[clean_by_mixture(evidence.losses[rows], threshold, seed)].astype(np.int64)


def confident_learning(evidence: Evidence, rng: np.random.Generator) -> IntArray:
    """Rows in which confident learning finds no label error.

    Northcutt et al., "Confident learning", JAIR 2021: an example counts as class j where its
    probability of j reaches the mean of those labelled j (equations 1, 2); the counts,
    calibrated to the number of labels (equation 3), say how many labelled i are j, and as many
    with the largest p_j - p_i are errors ("prune by noise rate", section 4; the default rule
    of cleanlab). Token tasks: applied to tokens; one error is enough to distrust a sentence.

    The method wants probabilities of a model that did not learn these labels. The student has:
    the fewer of the wrong labels it repeats, the more errors are found.
    """
    wrong = np.zeros(len(evidence.labels), dtype=np.bool_)
    log, labels = evidence.log_probabilities, evidence.labels
    members = [np.flatnonzero(labels == label) for label in range(log.shape[1])]
    thresholds = np.array(
        [np.exp(log[rows, j]).mean() if len(rows) else np.inf for j, rows in enumerate(members)]
    )
    for label, rows in enumerate(members):
        wrong[rows[_errors(np.exp(log[rows]), label, thresholds)]] = True
    found = np.logical_or.reduceat(wrong, evidence.offsets[:-1])
    return np.flatnonzero((evidence.groups != ABSTAINED) & ~found).astype(np.int64)


def _errors(probabilities: FloatArray, label: int, thresholds: FloatArray) -> IntArray:
    """Which units of one label are errors; may name one twice.

    Args:
        probabilities: float32 ``[m, classes]`` of the units that have the label.
        label: their class.
        thresholds: float ``[classes]``, mean probability of each class where it is the label.
    """
    reaches = probabilities >= thresholds
    confident = np.where(reaches, probabilities, -1.0).argmax(axis=1)[reaches.any(axis=1)]
    counts = np.bincount(confident, minlength=len(thresholds))
    errors = [np.zeros(0, dtype=np.int64)]
    for other in np.flatnonzero(counts):
        if other != label:
            expected = round(len(probabilities) * counts[other] / counts.sum())
            margin = probabilities[:, other] - probabilities[:, label]
            errors.append(np.argsort(-margin, kind="stable")[:expected])
    return np.concatenate(errors)
