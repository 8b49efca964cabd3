"""What to annotate next so that it differs from what is known and from each other.

A greedy choice needs the distances of each row that it picks to all candidates. So of a pool with
more than ``CANDIDATES`` untrusted rows so many are drawn at random, and at most ``PICKS`` of them
are picked greedily; the other candidates follow by their distance to those, the rest of the pool
in random order. Every untrusted row is in the answer: a budget takes as many as it likes.
"""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Evidence
from harness_plugins.products import times
from harness_plugins.selectors.rows import CHUNK, known, mean_probabilities, thinned, untrusted

CANDIDATES = 10_000
PICKS = 5_000
BLOCK = 64
"""Rows whose distances to all candidates are found at a time."""


def core_set(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """The untrusted row farthest from all known and all picked ones, again and again.

    Greedy k-centre with Euclidean distances of the student's embeddings (Sener & Savarese,
    ICLR 2018, algorithm 1). The known (``rows.known``) are the centres to begin with, at most
    ``CANDIDATES`` of them, drawn at random; without any, the first row is drawn.
    """
    rest = untrusted(evidence, trusted)
    drawn = thinned(rest, CANDIDATES, rng)
    centres = thinned(known(evidence, trusted), CANDIDATES, rng)
    vectors = evidence.embeddings[drawn]
    nearest = _to_nearest(vectors, evidence.embeddings[centres])
    if len(centres) == 0 and len(drawn):
        nearest = random_start(len(drawn), rng)
    picked, nearest = farthest_first(vectors, PICKS, nearest)
    return in_order(rest, drawn, picked, nearest, rng)


def badge(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """Uncertain and different rows: k-means++ on the gradients of the last layer.

    BADGE (Ash et al., ICLR 2020, algorithm 1): the gradient of an example, as if its prediction
    were its label, is the outer product of p - onehot(argmax p) and its embedding. The first row
    is that of the largest gradient, each further one is drawn with a chance that grows with the
    square of its distance to those before. Products of gradients are products of their factors,
    so no gradient is held in memory. Token tasks: p - onehot from the mean over the tokens' p.
    """
    rest = untrusted(evidence, trusted)
    drawn = thinned(rest, CANDIDATES, rng)
    error = mean_probabilities(evidence, drawn)
    error[np.arange(len(drawn)), error.argmax(axis=1)] -= 1
    picked, nearest = _far_by_chance(error, evidence.embeddings[drawn], PICKS, rng)
    return in_order(rest, drawn, picked, nearest, rng)


def farthest_first(
    vectors: FloatArray, count: int, nearest: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Greedy k-centre: each pick is the row farthest from the centres and the earlier picks.

    Args:
        vectors: float32 ``[m, width]``.
        count: how many to pick; all where there are fewer.
        nearest: float32 ``[m]``, squared distance to the nearest centre; ``inf`` without one.

    Returns:
        int64 picks in their order, and ``nearest`` after them (-inf at the picks).
    """
    squares, nearest, product = _squares(vectors), nearest.copy(), times(vectors)
    picked: list[int] = []
    count = min(count, len(vectors))
    while len(picked) < count:
        # The next picks are most likely among those that are farthest now: one product for all.
        block = np.argsort(-nearest, kind="stable")[:BLOCK]
        away = squares[block, None] + squares - 2 * product(vectors[block])
        at = dict(zip(block.tolist(), away, strict=True))
        while len(picked) < count and (row := int(nearest.argmax())) in at:
            np.minimum(nearest, at[row], out=nearest)
            nearest[row] = -np.inf
            picked.append(row)
    return np.array(picked, dtype=np.int64), nearest


def random_start(count: int, rng: np.random.Generator) -> FloatArray:
    """float32 ``[count]`` distances for ``farthest_first``, which then begins at a drawn row."""
    nearest = np.full(count, np.finfo(np.float32).max, dtype=np.float32)
    nearest[rng.integers(count)] = np.inf
    return nearest


def in_order(
    rest: IntArray, drawn: IntArray, picked: IntArray, urgency: FloatArray, rng: np.random.Generator
) -> IntArray:
    """The picks, the other drawn rows by falling urgency, then those not drawn, at random.

    Args:
        rest: rows to put in order, ascending.
        drawn: those of them that were candidates, ascending.
        picked: positions in ``drawn``.
        urgency: float ``[len(drawn)]``.
        rng: shuffles those that were no candidates.
    """
    others = np.setdiff1d(np.arange(len(drawn)), picked)
    others = others[np.argsort(-urgency[others], kind="stable")]
    undrawn = rng.permutation(np.setdiff1d(rest, drawn, assume_unique=True))
    return np.concatenate([drawn[picked], drawn[others], undrawn]).astype(np.int64)


def _far_by_chance(
    error: FloatArray, vectors: FloatArray, count: int, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """k-means++ on the outer products of ``error`` and ``vectors``, from the largest of them."""
    squares = _squares(error) * _squares(vectors)
    nearest, picked = squares, list[int]()
    errors, likeness = times(error), times(vectors)
    count = min(count, len(vectors))
    while len(picked) < count:
        block = _drawn(nearest, rng) if picked else np.array([squares.argmax()])
        if len(block) == 0:  # repeats of what is picked are all that is left
            rest = np.setdiff1d(np.arange(len(vectors)), picked)
            return np.concatenate([picked, rest[: count - len(picked)]]).astype(np.int64), nearest
        product = errors(error[block]) * likeness(vectors[block])
        away = np.maximum(squares[block, None] + squares - 2 * product, 0)
        chance = nearest[block] * rng.random(len(block))
        for row, distance, limit in zip(block.tolist(), away, chance, strict=True):
            # Distances only shrink: drawn by an old one, kept in proportion to the new.
            if len(picked) < count and (limit < nearest[row] or not picked):
                nearest = np.minimum(nearest, distance) if picked else distance
                nearest[row] = 0
                picked.append(row)
    return np.array(picked, dtype=np.int64), nearest


def _drawn(weights: FloatArray, rng: np.random.Generator) -> IntArray:
    """Rows drawn with a chance in proportion to their weights; none where all of these are 0."""
    sums = np.cumsum(weights, dtype=np.float64)
    if sums[-1] <= 0:
        return np.zeros(0, dtype=np.int64)
    return np.asarray(np.searchsorted(sums, rng.random(BLOCK) * sums[-1], side="right"))


def _to_nearest(vectors: FloatArray, centres: FloatArray) -> FloatArray:
    """float32 ``[m]``: squared distance to the nearest centre; ``inf`` where there is none."""
    nearest = np.full(len(vectors), np.inf, dtype=np.float32)
    squares = _squares(vectors)
    for start in range(0, len(centres), CHUNK):
        part = centres[start : start + CHUNK]
        product = times(part)
        for at in range(0, len(vectors), CHUNK):
            rows = slice(at, at + CHUNK)
            away = squares[rows, None] + _squares(part) - 2 * product(vectors[rows])
            nearest[rows] = np.minimum(nearest[rows], away.min(axis=1))
    return nearest


def _squares(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("nw,nw->n", vectors, vectors))
