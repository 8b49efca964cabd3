"""k-medoids on cosine distances: a good start, then swaps until none lowers the loss.

The swaps are those of FastPAM (Schubert & Rousseeuw 2021, "Fast and eager k-medoids
clustering", equation 5): what it would change to put a candidate in the place of each medoid is
found for all medoids at once from the nearest and the second nearest medoid of every example.
Here for a block of candidates at a time, as one matrix product.
"""

from __future__ import annotations

import numpy as np

from harness.data import BoolArray, FloatArray, IntArray
from harness_plugins.products import times

BLOCK = 64
"""Candidates judged together; fewer make more products, more make stale judgements."""
ALTERNATIONS = 5
"""At most so many passes of the start; the swaps do the rest."""
TOLERANCE = 1e-6
"""A swap must lower the loss by this share of it: float32 sums differ by less."""


def medoids(vectors: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    """The rows that stand for all others: no single swap lowers the sum of distances.

    Args:
        vectors: float32 ``[n, width]`` of unit length, ``n > count``.
        count: number of medoids, at least 1.
        rng: draws the start.

    Returns:
        int64 ``[count]``, different rows. Time grows with n², memory is 4 n² bytes.
    """
    distances = times(vectors)(vectors)
    np.subtract(1, distances, out=distances)
    np.clip(distances, 0, 2, out=distances)
    np.fill_diagonal(distances, 0)
    return _swapped(distances, _start(vectors, count, rng))


def _start(vectors: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    """Far-apart rows (k-means++), then of each cluster the row nearest to its mean."""
    rows = np.arange(len(vectors))
    chosen = [int(rng.integers(len(vectors)))]
    nearest = 1 - vectors @ vectors[chosen[0]]
    for _ in range(count - 1):
        weights = np.maximum(nearest, 0).astype(np.float64)
        weights[chosen] = 0
        if not weights.any():  # repeats only: any other row is as good
            weights[np.setdiff1d(rows, chosen)] = 1
        chosen.append(int(rng.choice(rows, p=weights / weights.sum())))
        nearest = np.minimum(nearest, 1 - vectors @ vectors[chosen[-1]])
    found = np.array(chosen, dtype=np.int64)
    for _ in range(ALTERNATIONS):
        cluster = np.argmax(vectors @ vectors[found].T, axis=1)
        cluster[found] = np.arange(count)  # of equal rows each keeps its own
        # The sum of cosine distances to a cluster is least for the row nearest to its mean.
        sums = _members(cluster, count).T.astype(np.float32) @ vectors
        likeness = np.einsum("nw,nw->n", vectors, sums[cluster])
        order = np.lexsort((-likeness, cluster))
        better = order[np.searchsorted(cluster[order], np.arange(count))]
        if np.array_equal(better, found):
            break
        found = better
    return found


def _swapped(distances: FloatArray, found: IntArray) -> IntArray:
    """Swap a medoid for the best candidate of a block until no block holds a better one."""
    rows, count = np.arange(len(distances)), len(found)
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    to_medoids = distances[found]
    cluster, first, second = _two_nearest(to_medoids)
    members = _members(cluster, count).astype(np.float32)
    at = unchanged = 0
    while unchanged < len(blocks):
        candidates = distances[blocks[at]]
        nearer = np.minimum(candidates, first)
        # Where its medoid goes, an example falls to the candidate or its second nearest.
        without = np.minimum(candidates, second) - nearer
        change = without @ members + (nearer.sum(axis=1) - first.sum())[:, None]
        candidate, medoid = divmod(int(change.argmin()), count)
        if change[candidate, medoid] < -TOLERANCE * max(1.0, float(first.sum())):
            found[medoid] = blocks[at][candidate]
            to_medoids[medoid] = candidates[candidate]
            members[rows, cluster] = 0
            cluster, first, second = _two_nearest(to_medoids)
            members[rows, cluster] = 1
            unchanged = 0
        else:
            unchanged += 1
            at = (at + 1) % len(blocks)
    return found


def _two_nearest(to_medoids: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Of each example: its nearest medoid, the distance, and that to the second nearest."""
    columns = np.arange(to_medoids.shape[1])
    nearest = to_medoids.argmin(axis=0)
    first = to_medoids[nearest, columns]
    if len(to_medoids) == 1:
        return nearest, first, np.full_like(first, np.inf)
    to_medoids[nearest, columns] = np.inf
    second = to_medoids.min(axis=0)
    to_medoids[nearest, columns] = first
    return nearest, first, second


def _members(cluster: IntArray, count: int) -> BoolArray:
    """Bool ``[n, count]``: which example belongs to which medoid."""
    return np.asarray(cluster[:, None] == np.arange(count))
