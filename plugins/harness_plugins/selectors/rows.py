"""Rows of a pool, and the vectors and probabilities that stand for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from harness.data import ABSTAINED, FloatArray, IntArray, take_units
from harness.protocols import Evidence

Measure: TypeAlias = Callable[[FloatArray], FloatArray]

CHUNK = 8192
"""Rows that are worked on at a time, so that memory does not grow with the pool."""


def untrusted(evidence: Evidence, trusted: IntArray) -> IntArray:
    """Rows that are not trusted and may be asked again, ascending, int64."""
    rest = evidence.askable.copy()
    rest[trusted] = False
    return np.flatnonzero(rest).astype(np.int64)


def known(evidence: Evidence, trusted: IntArray) -> IntArray:
    """Rows whose label stands, ascending, int64: trusted, or answered and not asked again."""
    stands = ~evidence.askable & (evidence.groups != ABSTAINED)
    stands[trusted] = True
    return np.flatnonzero(stands).astype(np.int64)


def thinned(rows: IntArray, most: int, rng: np.random.Generator) -> IntArray:
    """At most so many of the rows, drawn at random, ascending."""
    if len(rows) <= most:
        return rows
    return np.sort(rng.choice(rows, most, replace=False))


def unit(vectors: FloatArray) -> FloatArray:
    """float32, each row divided by its length."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def per_example(evidence: Evidence, measure: Measure) -> FloatArray:
    """float64 ``[n]``: the mean of a measure over each example's units.

    Args:
        evidence: of the pool.
        measure: float ``[units, classes]`` log-probabilities to float ``[units]``.
    """
    means = np.empty(len(evidence), dtype=np.float64)
    for start in range(0, len(evidence), CHUNK):
        bounds = evidence.offsets[start : start + CHUNK + 1]
        values = measure(evidence.log_probabilities[bounds[0] : bounds[-1]])
        sums = np.add.reduceat(values.astype(np.float64), bounds[:-1] - bounds[0])
        means[start : start + CHUNK] = sums / np.diff(bounds)
    return means


def mean_probabilities(evidence: Evidence, rows: IntArray) -> FloatArray:
    """float32 ``[m, classes]``: of each row, the mean of its units' probabilities."""
    units, offsets = take_units(evidence.log_probabilities, evidence.offsets, rows)  # type: ignore[arg-type]
    if len(rows) == 0:
        return np.zeros((0, evidence.log_probabilities.shape[1]), dtype=np.float32)
    sums = np.add.reduceat(np.exp(units), offsets[:-1], axis=0)
    return np.asarray(sums / np.diff(offsets)[:, None], dtype=np.float32)
