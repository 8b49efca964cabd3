"""One label an example, of what an annotator and a student say together."""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray

BEGUN, STEPS, CLOSE = 0.1, 100, 1e-5
"""Share of wrong labels to begin with; steps at most, and the change that ends them."""
SURE = 0.999
"""Nobody is taken to be surer."""


def combined_labels(
    labels: IntArray, confidence: FloatArray, log_probabilities: FloatArray
) -> IntArray:
    """The likeliest class of each example by Bayes' rule, int64 ``[n]``.

    The student's probabilities are the prior. The annotator is right as often as it says, or
    else with one rate for all of its labels, which expectation and maximisation find; what it
    says when it is wrong is any other class alike. After Raykar et al., "Learning From Crowds",
    JMLR 2010, section 2, with one annotator and a classifier that is trained already. A student
    that has learnt its labels by memory agrees with nearly all of them, so these stay.

    Args:
        labels: int ``[n]``, the annotator's; below 0 where it gave none: the student's stands.
        confidence: float ``[n]``, of its labels; NaN where it says nothing.
        log_probabilities: float ``[n, classes]``, the student's.
    """
    prior, rows = np.exp(log_probabilities.astype(np.float64)), np.flatnonzero(labels >= 0)
    said, least = labels[rows], 1 / prior.shape[1]
    wrong, told = BEGUN, confidence[rows].astype(np.float64)
    for _ in range(STEPS if len(rows) else 0):
        right = np.clip(np.where(np.isnan(told), 1 - wrong, told), least, SURE)
        likely = prior[rows] * ((1 - right) / (prior.shape[1] - 1))[:, None]
        own = prior[rows, said] * right
        likely[np.arange(len(rows)), said] = own
        before, wrong = wrong, float(1 - (own / likely.sum(axis=1)).mean())
        if abs(wrong - before) < CLOSE:
            break
    found = prior.argmax(axis=1)
    if len(rows):
        found[rows] = likely.argmax(axis=1)
    return np.asarray(found, dtype=np.int64)
