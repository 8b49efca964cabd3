"""How much each label counts in training."""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray

LEAST = 0.05
"""Weight, before they are scaled, of a label that was given as if by chance."""


def confidence_weights(confidence: FloatArray, classes: int) -> FloatArray:
    """float32 ``[n]`` with mean 1: ``max((c - 1/C) / (1 - 1/C), LEAST)``, scaled.

    A confidence as of chance, 1/C, weighs least, certainty in full.

    A wrong label is mostly one that its annotator was unsure of. The weighting is ours;
    results/LOG.md has what it does.

    Args:
        confidence: float ``[n]`` in [0, 1]; where it is NaN the label counts in full.
        classes: C, between which the annotator chose, at least 2.
    """
    chance = 1 / classes
    above = (np.nan_to_num(confidence, nan=1.0) - chance) / (1 - chance)
    weights = np.maximum(above, LEAST)
    return np.asarray(weights / max(float(weights.mean()), LEAST), dtype=np.float32)
