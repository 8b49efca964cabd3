"""The bootstrap over examples: what the score would be on other examples of the same kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.data import FloatArray, IntArray
from harness.stats.outcomes import Interval, Outcomes, paired_counts, score_of

RESAMPLES = 5000
LEVEL = 0.95
BLOCK = 4_000_000
"""Draws that are held in memory at a time."""


def bootstrap_interval(
    outcomes: Outcomes, *, seed: int, level: float = LEVEL, resamples: int = RESAMPLES
) -> Interval:
    """Percentile interval of a score (Efron & Tibshirani 1993, section 13.3).

    Examples (NER: sentences) are drawn with replacement, for all seeds together; the score is
    the mean over seeds. The runs are taken as given: ``seeds`` is for the chance of training.

    Args:
        outcomes: of one or several runs.
        seed: of the draws.
        level: share of intervals that hold the score of the population.
        resamples: how often all examples are drawn.
    """
    return _percentiles(_resampled(outcomes.counts, seed, resamples).mean(axis=1), level)


def paired_bootstrap_interval(
    first: Outcomes,
    second: Outcomes,
    *,
    seed: int,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """The same of the difference ``first - second``; each draw takes an example of both.

    Paired bootstrap (Koehn, EMNLP 2004; Berg-Kirkpatrick et al., EMNLP 2012).

    Raises:
        ValueError: if the two are not of the same examples and number of seeds.
    """
    counts = paired_counts(first, second)
    scores = _resampled(np.concatenate(counts), seed, resamples)
    ours, theirs = scores[:, : first.seeds], scores[:, first.seeds :]
    return _percentiles(ours.mean(axis=1) - theirs.mean(axis=1), level)


def _resampled(counts: IntArray, seed: int, resamples: int) -> FloatArray:
    """float64 ``[resamples, runs]``: scores of examples drawn with replacement.

    Examples with the same counts in all runs are exchangeable, so it is enough to draw how often
    each pattern of counts occurs.
    """
    runs, examples, width = counts.shape
    rows = counts.transpose(1, 0, 2).reshape(examples, runs * width)
    patterns, times = np.unique(rows, axis=0, return_counts=True)
    drawn = _draws(times, resamples, np.random.default_rng(seed))
    totals = np.concatenate([block @ patterns for block in drawn])
    return score_of(totals.reshape(resamples, runs, width), examples)


def _draws(times: IntArray, resamples: int, rng: np.random.Generator) -> Iterator[IntArray]:
    size = max(1, BLOCK // len(times))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        yield rng.multinomial(int(times.sum()), times / times.sum(), size=count)


def _percentiles(values: FloatArray, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
