"""How much each label counts in training."""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray

LEAST = 0.05
"""Weight, before they are scaled, of a label that was given as if by chance."""


def confidence_weights(confidence: FloatArray) -> FloatArray:
    """float32 ``[n]`` with mean 1: ``max(2 c - 1, LEAST)``, scaled.

    A wrong label is mostly one that its annotator was unsure of. The weighting is ours;
    results/LOG.md has what it does.

    Args:
        confidence: float ``[n]`` in [0, 1]; where it is NaN the label counts in full.
    """
    weights = np.maximum(2 * np.nan_to_num(confidence, nan=1.0) - 1, LEAST)
    return np.asarray(weights / max(float(weights.mean()), LEAST), dtype=np.float32)
