"""Two methods on the same examples: how they differ, and whether that may be chance."""

from __future__ import annotations

from dataclasses import dataclass

from harness.stats.bootstrap import paired_bootstrap_interval
from harness.stats.outcomes import Interval, Outcomes
from harness.stats.permutation import permutation_p
from harness.stats.seeds import paired_over_seeds

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Comparison:
    """A difference in score, ``first - second``.

    Attributes:
        difference: in [-1, 1].
        interval: of the difference.
        p: two-sided, of no difference.
        examples: how many both were scored on, by all seeds together.
        seeds: how many runs of each.
    """

    difference: float
    interval: Interval
    p: float
    examples: int
    seeds: int


def compare(
    first: Outcomes, second: Outcomes, *, seed: int = 0, level: float = LEVEL
) -> Comparison:
    """Compare two methods.

    One seed: bootstrap interval and permutation test over examples, the trained models taken as
    given. Several: interval and p over seeds and examples (``paired_over_seeds``).

    Args:
        first, second: of the same examples in the same order, run by run with the same seeds.
        seed: of what is drawn.
        level: of the interval.

    Raises:
        ValueError: if the two are not of the same examples and number of seeds.
    """
    difference = first.score - second.score
    if first.seeds > 1:
        found = paired_over_seeds(first, second, level=level)
        interval, p = found.interval, found.p
    else:
        interval = paired_bootstrap_interval(first, second, seed=seed, level=level)
        p = permutation_p(first, second, seed=seed)
    return Comparison(difference, interval, p, first.examples, first.seeds)
