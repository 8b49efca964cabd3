"""The head that training begins with: a linear probe of the frozen encoder.

Linear probing, then fine-tuning (Kumar et al., "Fine-Tuning can Distort Pretrained Features
and Underperform Out-of-Distribution", ICLR 2022): a random head drags the encoder away from
what it knows before it has learned anything. A probed head begins near its goal, so that
two or three epochs do.
"""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray

__all__ = ["linear_probe"]

MOST = 20_000
"""Examples at most that a probe is fitted on, drawn by the seed."""
ABSENT = -10.0
"""Bias of a class that no label names."""


def linear_probe(
    embeddings: FloatArray,
    labels: IntArray,
    example_weights: FloatArray,
    *,
    classes: int,
    inverse_penalty: float,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Weights and bias of a logistic regression: float32 ``[classes, width]``, ``[classes]``.

    Args:
        embeddings: float ``[n, width]`` of the frozen encoder, not normalised.
        labels: int ``[n]``, class indices.
        example_weights: float ``[n]``, mean 1.
        classes: number of classes.
        inverse_penalty: ``C`` of scikit-learn's ``LogisticRegression``.
        seed: draws the examples where there are more than ``MOST``.
    """
    from sklearn.linear_model import LogisticRegression

    rows = np.random.default_rng(seed).permutation(len(labels))[:MOST]
    weights = np.zeros((classes, embeddings.shape[1]), dtype=np.float32)
    bias = np.full(classes, ABSENT, dtype=np.float32)
    present = np.unique(labels[rows])
    if len(present) == 1:
        bias[present] = 0.0
        return weights, bias
    model = LogisticRegression(C=inverse_penalty, max_iter=1000)
    model.fit(embeddings[rows].astype(np.float64), labels[rows], example_weights[rows])
    coefficients, intercepts = model.coef_, model.intercept_
    if len(present) == 2:  # one row that tells the second class from the first
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weights[present], bias[present] = coefficients, intercepts
    return weights, bias
