"""The paired permutation test: could the two methods swap their answers?"""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray
from harness.stats.outcomes import Outcomes, paired_counts, score_of

EXACT = 100_000
"""At most so many different ways to swap are all counted; of more, some are drawn."""
RESAMPLES = 10_000
BLOCK = 4_000_000
"""Draws that are held in memory at a time."""


def permutation_p(
    first: Outcomes, second: Outcomes, *, seed: int, resamples: int = RESAMPLES
) -> float:
    """Two-sided p of the difference in score if both methods were alike.

    On each example (NER: sentence) the outcomes of the two are swapped or not, with equal
    chance, those of all seeds together; p is the share of swaps with a difference at least as
    large (Fisher 1935; approximate randomisation, Noreen 1989; Yeh, COLING 2000). The runs are
    taken as given: over several seeds ``seeds`` asks more.

    Examples on which the two have the same pair of outcomes are exchangeable: it is only counted
    how many of each pair are swapped. Accuracy of one seed is therefore exact (McNemar's exact
    test) unless hundreds of examples differ. Where swaps are drawn, p = (1 + hits)/(1 + draws).

    Args:
        first, second: of the same examples.
        seed: of the draws, where there are any.
        resamples: how many are drawn.

    Raises:
        ValueError: if the two are not of the same examples and number of seeds.
    """
    ours, theirs = paired_counts(first, second)
    pairs, times = _differing(ours, theirs)
    if len(times) == 0:
        return 1.0
    observed = abs(first.score - second.score) - 1e-12
    totals = ours.sum(axis=1) + theirs.sum(axis=1)
    constant = ours.sum(axis=1) - np.tensordot(times, pairs[:, 0], 1)

    def extreme(kept: IntArray) -> FloatArray:
        mine = constant + np.tensordot(kept, pairs[:, 0], 1)
        mine = mine + np.tensordot(times - kept, pairs[:, 1], 1)
        both = [score_of(one, first.examples).mean(axis=1) for one in (mine, totals - mine)]
        return np.asarray(np.abs(both[0] - both[1]) >= observed, dtype=np.float64)

    if np.prod(times + 1.0) <= EXACT:
        kept = np.indices(tuple(times + 1)).reshape(len(times), -1).T
        return min(1.0, float(_chances(kept, times) @ extreme(kept)))
    rng, hits, size = np.random.default_rng(seed), 0.0, max(1, BLOCK // len(times))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        hits += extreme(rng.binomial(times, 0.5, size=(count, len(times)))).sum()
    return float((1 + hits) / (1 + resamples))


def _differing(ours: IntArray, theirs: IntArray) -> tuple[IntArray, IntArray]:
    """Pairs of outcomes that differ, int64 ``[u, 2, seeds, k]``, and how often each occurs."""
    both = np.stack([ours, theirs]).transpose(2, 0, 1, 3)
    differs = (both[:, 0] != both[:, 1]).any(axis=(1, 2))
    rows = both[differs].reshape(-1, 2 * ours.shape[0] * ours.shape[2])
    pairs, times = np.unique(rows, axis=0, return_counts=True)
    return pairs.reshape(-1, 2, ours.shape[0], ours.shape[2]), times


def _chances(kept: IntArray, times: IntArray) -> FloatArray:
    """Of each way to keep so many of each pair: the product of binomial chances."""
    from scipy.special import gammaln

    chosen = gammaln(times + 1) - gammaln(kept + 1) - gammaln(times - kept + 1)
    return np.asarray(np.exp(chosen.sum(axis=1) - times.sum() * np.log(2)))
