"""How often intervals hold the truth, and how often p < 5 % where there is no difference.

    python -m tests.benchmarks.coverage [--simulations 1000] [--seed 0] [--metric accuracy|f1]
                                        [--pool 600]

Simulated runs on simulated examples: each method gets an example right (finds a mention of a
sentence) with a chance that depends on the example and the seed; the truth is known. In %:

    single       intervals of one method's score that hold the truth (Wilson; F1: bootstrap;
                 several seeds: over seeds and examples)
    paired       the same of the difference between two methods that differ
    stars        p < 5 % for two methods that do not differ
    given seeds  several seeds: as ``paired``, by the bootstrap over examples alone

With --pool, each of several seeds draws its 300 examples from a pool of so many.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from harness.stats.bootstrap import bootstrap_interval, paired_bootstrap_interval
from harness.stats.intervals import score_interval
from harness.stats.outcomes import Interval, Outcomes, score_of
from harness.stats.permutation import permutation_p
from harness.stats.seeds import paired_over_seeds

METRICS = ("accuracy", "f1")
SIZES, SEEDS = (200, 500, 2000), (1, 3, 5)
RESAMPLES, DRAWN = 1000, 300
CHANCE, BETTER = 0.82, 0.85
"""Of being right, of the worse and the better method, over all examples and seeds."""
OF_EXAMPLES, OF_SEEDS = 0.12, 0.01
"""How far the chance moves: by examples, alike for both methods (up or down); by seeds (standard
deviation, normal), where there are several."""
TRUE, FALSE = 1.5, 0.25
"""Mentions a sentence, and wrong ones that a method adds (means of Poisson distributions)."""


@dataclass(frozen=True, slots=True)
class World:
    """How outcomes come about."""

    metric: str
    examples: int
    seeds: int
    drawn: int | None = None

    def truth(self, chance: float) -> float:
        """The score in the population of examples and seeds."""
        if self.metric == "accuracy":
            return chance
        found = np.array([chance * TRUE, chance * TRUE + FALSE, TRUE])
        return float(score_of(1e6 * found, 1))

    def runs(self, chances: tuple[float, ...], rng: np.random.Generator) -> list[Outcomes]:
        """Outcomes of a method for each chance, on the same examples."""
        hard = OF_EXAMPLES * rng.choice([-1, 1], self.examples)
        mentions = rng.poisson(TRUE, self.examples)
        made = [self._method(chance + hard, mentions, rng) for chance in chances]
        if self.drawn is None:
            return made
        seen = rng.random((self.seeds, self.examples)).argsort(axis=1) < self.drawn
        kept = seen.any(axis=0)
        return [Outcomes((one.counts * seen[:, :, None])[:, kept], seen[:, kept]) for one in made]

    def _method(
        self,
        chance: np.ndarray[tuple[int], np.dtype[np.float64]],
        mentions: np.ndarray[tuple[int], np.dtype[np.int64]],
        rng: np.random.Generator,
    ) -> Outcomes:
        moved = OF_SEEDS * rng.standard_normal((self.seeds, 1)) if self.seeds > 1 else 0.0
        p = np.broadcast_to(np.clip(chance + moved, 0, 1), (self.seeds, self.examples))
        if self.metric == "accuracy":
            return Outcomes.of_examples(rng.random(p.shape) < p)
        right = rng.binomial(mentions, p)
        said = right + rng.poisson(FALSE, p.shape)
        return Outcomes.of_mentions(np.stack([right, said, mentions + 0 * said], axis=2))


def holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def simulated(world: World, rng: np.random.Generator) -> tuple[bool, bool, bool, bool]:
    """One simulation: single, paired, star, given seeds."""
    seed = int(rng.integers(2**31))
    better, worse, alike = world.runs((BETTER, CHANCE, CHANCE), rng)
    difference = world.truth(BETTER) - world.truth(CHANCE)
    given = (
        Interval(0, 0)  # of seeds that draw other examples there is none
        if world.drawn
        else paired_bootstrap_interval(better, worse, seed=seed, resamples=RESAMPLES)
    )
    if world.seeds > 1:
        single = score_interval(better)
        paired = paired_over_seeds(better, worse).interval
        p = paired_over_seeds(worse, alike).p
    else:
        bootstrapped = world.metric == "f1"
        single = (
            bootstrap_interval(better, seed=seed, resamples=RESAMPLES)
            if bootstrapped
            else score_interval(better)
        )
        paired, p = given, permutation_p(worse, alike, seed=seed, resamples=RESAMPLES)
    return (
        holds(single, world.truth(BETTER)),
        holds(paired, difference),
        p < 0.05,
        holds(given, difference),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--metric", choices=METRICS, nargs="*", default=METRICS)
    parser.add_argument("--pool", type=int)
    options = parser.parse_args()
    sizes, counts = ((options.pool,), SEEDS[1:]) if options.pool else (SIZES, SEEDS)
    head = f"{'metric':10}{'n':>6}{'seeds':>7}{'single':>9}{'paired':>9}{'stars':>8}"
    print(f"{options.simulations} simulations\n{head}{'given seeds':>13}{'s':>7}")
    for metric in options.metric:
        for examples in sizes:
            for seeds in counts:
                drawn = DRAWN if options.pool else None
                began, world = perf_counter(), World(metric, examples, seeds, drawn)
                rng = np.random.default_rng([options.seed, examples, seeds, len(metric)])
                found = [simulated(world, rng) for _ in range(options.simulations)]
                single, paired, stars, given = 100 * np.mean(found, axis=0)
                print(
                    f"{metric:10}{examples:6}{seeds:7}{single:9.1f}{paired:9.1f}{stars:8.1f}"
                    f"{given:13.1f}{perf_counter() - began:7.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
