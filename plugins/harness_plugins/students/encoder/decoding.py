"""From tag probabilities to the most probable valid IOB2 sequence."""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray

IMPOSSIBLE = -1e9
LEAST = -1e4
"""Lowest log-probability; it must not outweigh a forbidden step."""


def decode_iob2(log_probabilities: FloatArray, offsets: IntArray) -> IntArray:
    """Viterbi decoding under the rule that ``I-X`` follows ``B-X`` or ``I-X`` only.

    Args:
        log_probabilities: float ``[units, classes]`` in the order ``O, B-1, I-1, ...``.
        offsets: int64 ``[n + 1]``.

    Returns:
        int32 ``[units]``: for each sentence the valid sequence with the largest sum.
    """
    scores = np.maximum(log_probabilities.astype(np.float64), LEAST)
    lengths = np.diff(offsets)
    out = np.empty(len(log_probabilities), dtype=np.int32)
    # Sentences of equal length are decoded together, one matrix operation for each position.
    for length in np.unique(lengths[lengths > 0]):
        rows = np.flatnonzero(lengths == length)
        units = offsets[:-1][rows][:, None] + np.arange(length)
        out[units] = _viterbi(scores[units])
    return out


def _viterbi(scores: FloatArray) -> IntArray:
    """int ``[batch, length]`` for float ``[batch, length, classes]``."""
    batch, length, classes = scores.shape
    allowed = _transitions(classes)
    best = scores[:, 0] + np.where(np.arange(classes) % 2 == 0, IMPOSSIBLE, 0)
    best[:, 0] = scores[:, 0, 0]  # O may start; I- (even, not 0) may not
    back = np.zeros((length, batch, classes), dtype=np.int64)
    for position in range(1, length):
        paths = best[:, :, None] + allowed
        back[position] = paths.argmax(axis=1)
        best = paths.max(axis=1) + scores[:, position]
    tags = np.empty((batch, length), dtype=np.int64)
    tags[:, -1] = best.argmax(axis=1)
    for position in range(length - 1, 0, -1):
        tags[:, position - 1] = back[position][np.arange(batch), tags[:, position]]
    return tags


def _transitions(classes: int) -> FloatArray:
    """float ``[from, to]``: 0 where IOB2 allows the step."""
    allowed = np.zeros((classes, classes))
    for inside in range(2, classes, 2):
        allowed[:, inside] = IMPOSSIBLE
        allowed[[inside - 1, inside], inside] = 0
    return allowed
