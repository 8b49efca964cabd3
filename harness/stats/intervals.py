"""Intervals of single scores, so that 100 % of thirty examples says what it is worth."""

from __future__ import annotations

from statistics import NormalDist

from harness.stats.bootstrap import bootstrap_interval
from harness.stats.outcomes import Interval, Outcomes
from harness.stats.seeds import over_seeds

LEVEL = 0.95


def wilson(right: int, examples: int, *, level: float = LEVEL) -> Interval:
    """Score interval of a share (Wilson 1927), which is right also near 0 and 1.

    Raises:
        ValueError: if there are no examples, or fewer than are right.
    """
    if not 0 <= right <= examples or examples == 0:
        raise ValueError(f"{right} right of {examples}: no share")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, widen = right / examples, z * z / examples
    centre = (share + widen / 2) / (1 + widen)
    reach = z * (share * (1 - share) / examples + widen / examples / 4) ** 0.5 / (1 + widen)
    return Interval(max(0.0, centre - reach), min(1.0, centre + reach))


def score_interval(outcomes: Outcomes, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Of a score: over seeds where there are several; else Wilson, or the bootstrap for F1.

    Args:
        outcomes: what was right.
        seed: of the bootstrap.
        level: of the interval.
    """
    if outcomes.seeds > 1:
        found = over_seeds(outcomes, level=level).interval
        return Interval(max(0.0, found.low), min(1.0, found.high))
    if outcomes.counts.shape[2] == 1:
        return wilson(int(outcomes.counts.sum()), outcomes.examples, level=level)
    return bootstrap_interval(outcomes, seed=seed, level=level)
