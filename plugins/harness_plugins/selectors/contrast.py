"""What to annotate next: where the student contradicts what it says nearby."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Evidence
from harness_plugins.products import times
from harness_plugins.selectors.diversity import in_order
from harness_plugins.selectors.rows import known, mean_probabilities, thinned, untrusted

CANDIDATES = 50_000
"""More untrusted rows are thinned at random; the rest follows in random order."""
KNOWN = 4_000
"""More known rows, among which neighbours are sought, are thinned at random."""
NEIGHBOURS = 10
"""Margatina et al., section 4.3."""
BLOCK = 2048
"""Candidates whose distances are held in memory at a time."""


def cal(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """The untrusted, those first whose probabilities differ most from their neighbours'.

    Contrastive active learning (Margatina et al., EMNLP 2021, algorithm 1): of the ten known
    examples (``rows.known``) nearest by the student's embeddings, the mean divergence
    KL(p(neighbour) || p(row)). Token tasks: probabilities are means over tokens. Without any
    known row the order is random.
    """
    rest = untrusted(evidence, trusted)
    drawn, labelled = thinned(rest, CANDIDATES, rng), thinned(known(evidence, trusted), KNOWN, rng)
    if len(labelled) == 0:
        return rng.permutation(rest)
    near_of, known_log = _nearest(evidence.embeddings[labelled]), _log(evidence, labelled)
    divergence = np.empty(len(drawn), dtype=np.float32)
    for start in range(0, len(drawn), BLOCK):
        rows = drawn[start : start + BLOCK]
        theirs = known_log[near_of(evidence.embeddings[rows])]
        mine = _log(evidence, rows)[:, None, :]
        away = (np.exp(theirs) * (theirs - mine)).sum(axis=2)
        divergence[start : start + BLOCK] = away.mean(axis=1)
    return in_order(rest, drawn, np.zeros(0, dtype=np.int64), divergence, rng)


def _nearest(known: FloatArray) -> Callable[[FloatArray], IntArray]:
    """A function of vectors ``[m, width]``: int64 ``[m, k]``, the nearest known ones, unordered."""
    count, product = min(NEIGHBOURS, len(known)), times(known)
    squares = np.einsum("nw,nw->n", known, known)

    def nearest(vectors: FloatArray) -> IntArray:
        # The square of the row itself is the same for all of its neighbours.
        away = squares - 2 * product(vectors)
        return np.asarray(np.argpartition(away, count - 1, axis=1)[:, :count])

    return nearest


def _log(evidence: Evidence, rows: IntArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(mean_probabilities(evidence, rows), 1e-12)))
