"""Several seeds: a method's score if seeds and examples were drawn anew.

Of three or five seeds the bootstrap is too sure of itself: it draws from so few values, and no draw
knows what a t-distribution knows. An analysis of variance takes the two sources apart instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.data import FloatArray
from harness.stats.outcomes import Interval, Outcomes, paired_counts

LEVEL = 0.95
EQUAL = 1e-12
"""Values that are nearer to each other are the same."""
LEAST = (0.2, 0.6)
"""Seeds that by chance differ less than the rest would make the error too small: its square is at
least this share of what the examples alone make it, the first where each seed has examples of its
own, the second where all have the same. Ours, by ``tests.benchmarks.coverage``."""


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """A mean over seeds and examples.

    Attributes:
        mean: the score, or the difference.
        error: its standard error.
        freedom: degrees of freedom of the error (Satterthwaite).
        interval: by Student's t.
        p: two-sided, against a mean of 0.
    """

    mean: float
    error: float
    freedom: float
    interval: Interval
    p: float


def over_seeds(outcomes: Outcomes, *, level: float = LEVEL) -> OverSeeds:
    """A method's score with the chance of its seeds and of the examples.

    Seeds and examples are crossed random effects: Y = mean + seed + example + rest, and the
    variance of the mean is (MS_seed + MS_example - MS_rest) / (seeds * examples) (Searle, Casella
    & McCulloch 1992, section 4.3); ``_error`` has that of seeds that draw other examples. F1 is
    no mean over sentences; its linear part is (Efron 1982, chapter 6, the infinitesimal
    jackknife).

    Raises:
        ValueError: if there is only one seed, or only one example.
    """
    return _analysed(_linear(outcomes), level)


def paired_over_seeds(first: Outcomes, second: Outcomes, *, level: float = LEVEL) -> OverSeeds:
    """The same of ``first - second``: the run of a seed against that of the same seed.

    Raises:
        ValueError: as above, or if the two are not of the same examples and number of seeds.
    """
    paired_counts(first, second)
    return _analysed(_linear(first) - _linear(second), level)


def mean_of_seeds(values: Sequence[float], *, level: float = LEVEL) -> OverSeeds:
    """Of one value a seed, where each seed draws its own examples: Student's t over the seeds.

    Values that all agree say nothing of chance: the interval is then the mean alone, and p is 1
    where that is 0, else NaN.

    Args:
        values: scores or differences, two at least.
        level: of the interval.

    Raises:
        ValueError: if there is only one.
    """
    if len(values) < 2:
        raise ValueError("an interval over seeds needs two seeds at least")
    from scipy.stats import t

    each = np.asarray(values, dtype=np.float64)
    mean, freedom = float(each.mean()), len(each) - 1
    error = float(each.std(ddof=1)) / len(each) ** 0.5
    if error < EQUAL:
        p = 1.0 if abs(mean) < EQUAL else float("nan")
        return OverSeeds(mean, 0.0, freedom, Interval(mean, mean), p)
    reach = float(t.ppf((1 + level) / 2, freedom)) * error
    p = float(2 * t.sf(abs(mean) / error, freedom))
    return OverSeeds(mean, error, freedom, Interval(mean - reach, mean + reach), p)


def _linear(outcomes: Outcomes) -> FloatArray:
    """float64 ``[seeds, n]``: what each example adds to the score; each row's mean is the score.

    NaN where a seed lacks the example.
    """
    counts = outcomes.counts.astype(np.float64)
    if outcomes.seen is not None:
        counts[~outcomes.seen] = np.nan
    if counts.shape[2] == 1:
        return counts[:, :, 0]
    score = outcomes.scores[:, None]
    size = counts[:, :, 1] + counts[:, :, 2]
    change = 2 * counts[:, :, 0] - score * size
    return np.asarray(score + change / np.maximum(np.nanmean(size, axis=1)[:, None], 1e-12))


def _analysed(values: FloatArray, level: float) -> OverSeeds:
    if min(values.shape) < 2:
        raise ValueError("an interval over seeds needs two seeds and two examples at least")
    from scipy.stats import t

    means = np.nanmean(values, axis=1)
    mean = float(means.mean())
    error, freedom = _error(values - means[:, None], means - mean)
    reach = float(t.ppf((1 + level) / 2, freedom)) * error
    p = float(2 * t.sf(abs(mean) / error, freedom)) if error else float(mean == 0)
    return OverSeeds(mean, error, freedom, Interval(mean - reach, mean + reach), p)


def _error(deviations: FloatArray, by_seed: FloatArray) -> tuple[float, float]:
    """Standard error of the mean of seeds' means, and its degrees of freedom.

    Where seeds draw other examples, the mean's variance is the seeds' mean square plus the
    covariances of their means by the examples that they share; of the same examples that is the
    analysis of variance, of disjoint ones the variance between seeds alone.

    Args:
        deviations: ``[seeds, n]``, of each example from its seed's mean; NaN: not drawn.
        by_seed: of these means from theirs.
    """
    (seeds, examples), own = deviations.shape, np.sum(~np.isnan(deviations), axis=1)
    adds = np.nan_to_num(deviations / (seeds * np.sqrt(own * np.maximum(own - 1, 1)))[:, None])
    of_examples, of_all = (adds.sum(axis=0) ** 2).sum(), (adds**2).sum()
    of_seeds = (by_seed**2).sum() / (seeds - 1) / seeds
    rest = (seeds * of_all - of_examples) / (seeds - 1)
    squares = np.array([of_seeds, of_examples, rest])
    left = max(int(own.sum()) - seeds - examples + 1, examples - 1)
    shared = (own.sum() / examples - 1) / (seeds - 1)
    least = LEAST[0] + (LEAST[1] - LEAST[0]) * shared
    total = max(of_seeds + of_examples - rest, least * of_examples)
    if total == 0:
        return 0.0, float(examples - 1)
    effective = total**2 / (squares**2 / np.array([seeds - 1, examples - 1, left])).sum()
    return float(np.sqrt(total)), float(effective)
