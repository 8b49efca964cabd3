"""Which trusted examples of a class to show.

Each takes evidence, rows of one class, how many, and a generator, and returns so many of the
rows, or all where there are fewer. Where distances matter, a class with more than ``CANDIDATES``
rows is thinned at random (by the seed), so that neither time nor memory grows with the pool.
"""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Evidence
from harness_plugins.selectors import medoids as clustering
from harness_plugins.selectors.diversity import farthest_first, random_start
from harness_plugins.selectors.rows import thinned, unit

CANDIDATES = 4000
"""The matrix of their distances takes 64 MB."""
PASSES = 300
"""At most so many of k-means (as in scikit-learn, which the reference code calls)."""


def k_medoids(evidence: Evidence, rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Medoids by cosine distance in the student's space (FreeAL, section 3.3)."""
    if count == 0 or count >= len(rows):
        return rows[:count]
    rows = thinned(rows, CANDIDATES, rng)
    return rows[clustering.medoids(unit(evidence.embeddings[rows]), count, rng)]


def k_means(evidence: Evidence, rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """The example nearest to each centroid of k-means, by Euclidean distance.

    FreeAL's reference code. There an example nearest to two centroids is shown twice; here the
    second centroid takes the nearest that is left.
    """
    if count == 0 or count >= len(rows):
        return rows[:count]
    rows = thinned(rows, CANDIDATES, rng)
    vectors = np.asarray(evidence.embeddings[rows], dtype=np.float32)
    away = _squared_distances(_centroids(vectors, count, rng), vectors)
    chosen = np.empty(count, dtype=np.int64)
    for at in range(count):
        chosen[at] = away[at].argmin()
        away[:, chosen[at]] = np.inf
    return rows[chosen]


def confident(evidence: Evidence, rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Those with the largest probability (mean over tokens) of the student's prediction."""
    return rows[np.argsort(-evidence.student_confidence[rows], kind="stable")[:count]]


def uncertain(evidence: Evidence, rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Those with the smallest, as in uncertainty sampling (Lewis & Gale, SIGIR 1994)."""
    return rows[np.argsort(evidence.student_confidence[rows], kind="stable")[:count]]


def random(evidence: Evidence, rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Random ones: the control."""
    return rng.permutation(rows)[:count]


def diverse(evidence: Evidence, rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Greedy k-centre by cosine distance from a random start (Gonzalez 1985)."""
    rows = thinned(rows, CANDIDATES, rng)
    if count == 0:
        return rows[:0]
    vectors = unit(evidence.embeddings[rows])
    picked, _ = farthest_first(vectors, count, random_start(len(rows), rng))
    return rows[picked]


def _centroids(vectors: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Lloyd's algorithm from a k-means++ start (Arthur & Vassilvitskii, SODA 2007)."""
    centroids = vectors[_spread_start(vectors, count, rng)]
    cluster = np.full(len(vectors), -1)
    for _ in range(PASSES):
        nearest = _squared_distances(vectors, centroids).argmin(axis=1)
        if np.array_equal(nearest, cluster):
            break
        cluster = nearest
        members = (cluster == np.arange(count)[:, None]).astype(np.float32)
        sizes = members.sum(axis=1, keepdims=True)
        # A cluster that lost all its members stays where it is.
        centroids = np.where(sizes > 0, members @ vectors / np.maximum(sizes, 1), centroids)
    return centroids


def _spread_start(vectors: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    chosen = [int(rng.integers(len(vectors)))]
    nearest = _squared_distances(vectors, vectors[chosen])[:, 0]
    while len(chosen) < count:
        weights = np.maximum(nearest, 0).astype(np.float64)
        # Where only repeats are left, any row is as good as any other.
        share = weights / weights.sum() if weights.any() else None
        chosen.append(int(rng.choice(len(vectors), p=share)))
        nearest = np.minimum(nearest, _squared_distances(vectors, vectors[chosen[-1:]])[:, 0])
    return np.array(chosen)


def _squared_distances(first: FloatArray, second: FloatArray) -> FloatArray:
    squares = np.einsum("nw,nw->n", first, first)[:, None] + np.einsum("nw,nw->n", second, second)
    return np.asarray(squares - 2 * (first @ second.T))
