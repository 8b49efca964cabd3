"""Statistics against scipy, against worked values, and against the truth of simulations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.data import Gold, IntArray, offsets_of
from harness.metrics import score
from harness.stats.bootstrap import bootstrap_interval, paired_bootstrap_interval
from harness.stats.holm import holm
from harness.stats.intervals import score_interval, wilson
from harness.stats.outcomes import Interval, Outcomes, mention_counts
from harness.stats.paired import compare
from harness.stats.permutation import permutation_p
from harness.stats.seeds import LEAST, over_seeds, paired_over_seeds
from tests.factories import random_iob2, token_card


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def accuracy(n: int, share: float, seed: int = 0, seeds: int = 1) -> Outcomes:
    return Outcomes.of_examples(rng(seed).random((seeds, n)) < share)


def mentions(n: int, share: float, seed: int = 0, seeds: int = 1) -> Outcomes:
    draw = rng(seed)
    true = rng(99).poisson(1.5, n)
    right = draw.binomial(true, share, (seeds, n))
    said = right + draw.poisson(0.3, (seeds, n))
    return Outcomes.of_mentions(np.stack([right, said, true + 0 * said], axis=2))


# --- outcomes ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_mention_counts_add_up_to_the_metric_of_the_tables(seed: int) -> None:
    draw, card = rng(seed), token_card("A", "B")
    gold = [random_iob2(draw, int(draw.integers(1, 12)), 2) for _ in range(120)]
    said = [random_iob2(draw, len(t), 2) if draw.random() < 0.4 else t for t in gold]
    said[5] = [-1] * len(said[5])  # no answer: its mentions are missed
    offsets = offsets_of([len(tags) for tags in gold])
    flat_said, flat_gold = (np.concatenate([np.array(t) for t in side]) for side in (said, gold))
    counts = mention_counts(flat_said, flat_gold, offsets)
    expected = score(flat_said, Gold("train", flat_gold, offsets), card).score
    assert Outcomes.of_mentions(counts).score == pytest.approx(expected)
    assert counts[5, :2].tolist() == [0, 0]
    for row, (one, other) in enumerate(zip(said, gold, strict=True)):
        if one == other:
            assert counts[row, 0] == counts[row, 1] == counts[row, 2]


def test_scores_of_several_seeds() -> None:
    right = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], dtype=bool)
    assert Outcomes.of_examples(right).scores.tolist() == [0.5, 0.75]
    assert Outcomes.of_examples(right).score == 0.625
    nothing = Outcomes.of_mentions(np.zeros((5, 3), dtype=np.int64))
    assert nothing.score == 0


def test_outcomes_of_nothing_and_unequal_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="no outcomes"):
        Outcomes.of_examples(np.zeros(0, dtype=bool))
    for statistic in (
        lambda a, b: permutation_p(a, b, seed=0),
        lambda a, b: paired_bootstrap_interval(a, b, seed=0),
        paired_over_seeds,
    ):
        with pytest.raises(ValueError, match="no pairs"):
            statistic(accuracy(10, 0.5), accuracy(11, 0.5))
    with pytest.raises(ValueError, match="two seeds"):
        over_seeds(accuracy(10, 0.5))


# --- single scores -------------------------------------------------------------------


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (30, 30), (1, 7), (830, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_agrees_with_scipy(right: int, n: int, level: float) -> None:
    found = wilson(right, n, level=level)
    expected = scipy_stats.binomtest(right, n).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_hundred_percent_of_thirty_is_worth_little() -> None:
    assert score_interval(Outcomes.of_examples(np.ones(30, dtype=bool))).low < 0.89
    with pytest.raises(ValueError, match="no share"):
        wilson(1, 0)


def bootstrapped_by_loop(outcomes: Outcomes, resamples: int) -> tuple[float, float]:
    draw, counts, found = rng(7), outcomes.counts, []
    for _ in range(resamples):
        rows = draw.integers(0, outcomes.examples, outcomes.examples)
        found.append(Outcomes(counts[:, rows]).score)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize("outcomes", [accuracy(300, 0.8, seeds=2), mentions(200, 0.7)])
def test_the_bootstrap_agrees_with_drawing_rows(outcomes: Outcomes) -> None:
    found = bootstrap_interval(outcomes, seed=0, resamples=4000)
    expected = bootstrapped_by_loop(outcomes, 4000)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.004)
    assert found == bootstrap_interval(outcomes, seed=0, resamples=4000)
    assert found != bootstrap_interval(outcomes, seed=1, resamples=4000)


# --- pairs ---------------------------------------------------------------------------


def test_a_paired_interval_knows_that_the_examples_are_the_same() -> None:
    right = rng().random(500) < 0.8
    better = right.copy()
    better[np.flatnonzero(~right)[:10]] = True
    first, second = Outcomes.of_examples(better), Outcomes.of_examples(right)
    paired = paired_bootstrap_interval(first, second, seed=0)
    assert 0 < paired.low < 0.02 < paired.high < 0.04
    alone = bootstrap_interval(first, seed=0)
    assert alone.high - alone.low > 2 * (paired.high - paired.low)
    same = paired_bootstrap_interval(first, first, seed=0)
    assert same == Interval(0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_p_of_accuracy_is_mcnemars_exact_test(seed: int) -> None:
    first, second = accuracy(200, 0.8, seed), accuracy(200, 0.74, seed + 50)
    ours, theirs = first.counts[0, :, 0], second.counts[0, :, 0]
    wins, losses = int((ours > theirs).sum()), int((ours < theirs).sum())
    expected = scipy_stats.binomtest(wins, wins + losses).pvalue
    assert permutation_p(first, second, seed=0) == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [1, 2])
def test_p_of_f1_counts_every_swap(seeds: int) -> None:
    first, second = (mentions(9, share, at, seeds) for at, share in ((1, 0.9), (2, 0.5)))
    swapped = []
    for swap in product([False, True], repeat=9):
        ours = np.where(np.array(swap)[None, :, None], second.counts, first.counts)
        theirs = first.counts + second.counts - ours
        swapped.append(Outcomes(ours).score - Outcomes(theirs).score)
    observed = abs(first.score - second.score)
    expected = np.mean(np.abs(swapped) >= observed - 1e-12)
    assert permutation_p(first, second, seed=0) == pytest.approx(float(expected))


def test_drawn_swaps_come_close_to_scipy() -> None:
    first, second = mentions(400, 0.75, 1), mentions(400, 0.7, 2)
    found = permutation_p(first, second, seed=0)

    def difference(ours: IntArray, theirs: IntArray, axis: int = -1) -> float:
        return Outcomes.of_mentions(ours).score - Outcomes.of_mentions(theirs).score

    drawn = []
    for _ in range(4000):
        swap = SWAPS.random(400) < 0.5
        ours = np.where(swap[:, None], second.counts[0], first.counts[0])
        drawn.append(difference(ours, first.counts[0] + second.counts[0] - ours))
    observed = abs(first.score - second.score) - 1e-12
    assert found == pytest.approx(float(np.mean(np.abs(drawn) >= observed)), abs=0.03)
    assert found == permutation_p(first, second, seed=0)


SWAPS = rng(11)


def test_no_difference_is_no_evidence() -> None:
    same = accuracy(50, 0.5)
    assert permutation_p(same, same, seed=0) == 1
    assert compare(same, same).p == 1
    several = accuracy(50, 0.5, seeds=3)
    found = compare(several, several)
    assert (found.p, found.interval, found.seeds) == (1, Interval(0, 0), 3)


# --- several seeds -------------------------------------------------------------------


def test_with_many_examples_and_noisy_seeds_it_is_the_t_test_over_seeds() -> None:
    draw = rng(4)
    shares = np.clip(0.7 + 0.05 * draw.normal(size=(2, 6, 1)), 0, 1)
    first, second = (Outcomes.of_examples(draw.random((6, 40_000)) < share) for share in shares)
    found = paired_over_seeds(first, second)
    expected = scipy_stats.ttest_rel(first.scores, second.scores)
    assert found.p == pytest.approx(expected.pvalue, rel=0.05)
    low, high = expected.confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=0.003)


def test_where_seeds_do_not_matter_examples_decide() -> None:
    hard = rng().random(800) < 0.8
    same = Outcomes.of_examples(np.stack([hard] * 3))
    found = over_seeds(same)
    assert found.error == pytest.approx(hard.std(ddof=1) / np.sqrt(800))


def test_one_seed_is_compared_over_examples_and_several_over_both() -> None:
    first, second = accuracy(300, 0.9, 1), accuracy(300, 0.6, 2)
    one = compare(first, second, seed=3)
    assert one.difference == pytest.approx(first.score - second.score)
    assert one.interval == paired_bootstrap_interval(first, second, seed=3)
    assert one.p < 1e-6
    several = compare(mentions(300, 0.9, 1, 3), mentions(300, 0.6, 2, 3))
    assert several.interval.low > 0
    assert several.p < 0.001


# --- many comparisons ----------------------------------------------------------------


def test_holm_agrees_with_worked_values() -> None:
    # By hand; the fifteen p-values are those of Benjamini & Hochberg 1995, section 4.1.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
                 0.4262, 0.5719, 0.6528, 0.7590, 1.0]) == pytest.approx(
                     [0.0015, 0.0056, 0.0247, 0.1140, 0.2211, 0.2780, 0.2780, 0.2780, 0.3213]
                     + [1.0] * 6)  # fmt: skip
    assert holm([]) == []
    assert holm([0.3]) == [0.3]


def test_holm_keeps_the_order_and_rejects_what_the_step_down_rule_rejects() -> None:
    draw = rng(8)
    for _ in range(50):
        p = draw.random(8) ** 3
        rejected, order = np.zeros(8, dtype=bool), np.argsort(p)
        for rank, row in enumerate(order):
            if p[row] > 0.05 / (8 - rank):
                break
            rejected[row] = True
        assert (np.array(holm(p.tolist())) <= 0.05).tolist() == rejected.tolist()


# --- the truth of simulations ----------------------------------------------------------


@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_intervals_hold_the_truth_and_stars_are_rare(metric: str) -> None:
    from tests.benchmarks.coverage import World, simulated

    # A small share of the benchmark's simulations: within three standard errors of 95 and 5 %.
    draws = rng(1)
    found = [simulated(World(metric, 200, 1), draws) for _ in range(200)]
    single, paired, stars, _ = np.mean(found, axis=0)
    assert 0.90 < single <= 0.99
    assert 0.90 < paired <= 0.99
    assert stars < 0.10


# --- seeds that draw other examples ------------------------------------------------------


def drawn(pool: int, n: int, seeds: int, gain: float, draw: np.random.Generator) -> list[Outcomes]:
    """Two methods on ``n`` of a pool's examples, other ones in each seed."""
    hard, better = 0.15 * draw.choice([-1, 1], pool), draw.normal(gain, 0.02, seeds)
    counts = np.zeros((2, seeds, pool, 1), dtype=np.int64)
    seen = np.zeros((seeds, pool), dtype=bool)
    for seed in range(seeds):
        rows = draw.choice(pool, n, replace=False)
        seen[seed, rows] = True
        luck = draw.random(n)  # in part alike for both
        for method, chance in enumerate((0.75, 0.75 + better[seed])):
            own = np.where(draw.random(n) < 0.7, luck, draw.random(n))
            counts[method, seed, rows, 0] = own < chance + hard[rows]
    kept = seen.any(axis=0)
    return [Outcomes(one[:, kept], seen[:, kept]) for one in counts]


@pytest.mark.parametrize("pool", [100_000, 500, 210])
def test_seeds_that_draw_other_examples_are_compared_over_all_of_them(pool: int) -> None:
    """Disjoint, overlapping and nearly equal draws: intervals hold the truth, stars are rare."""
    holds, stars, runs = 0, 0, 400
    for k in range(runs):
        first, second = drawn(pool, 200, 3, 0.04, rng(k))
        found = compare(second, first)
        assert found.examples == first.examples and found.difference == pytest.approx(
            np.mean(second.scores - first.scores)
        )
        holds += found.interval.low <= 0.04 <= found.interval.high
        stars += compare(*drawn(pool, 200, 3, 0.0, rng(runs + k))).p < 0.05
    assert holds / runs > 0.92 and stars / runs < 0.08


def test_examples_that_all_seeds_share_make_the_interval_of_the_analysis_of_variance() -> None:
    first, second = accuracy(80, 0.6, 1, 3), accuracy(80, 0.7, 2, 3)
    usual = paired_over_seeds(second, first)
    everything = np.ones((3, 80), dtype=bool)
    again = paired_over_seeds(*(Outcomes(one.counts, everything) for one in (second, first)))
    assert (again.error, again.freedom) == pytest.approx((usual.error, usual.freedom))
    values = (second.counts - first.counts)[:, :, 0].astype(float)
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    squares = np.array([80 * values.mean(1).var(ddof=1), 3 * values.mean(0).var(ddof=1)])
    of_rest = (rest**2).sum() / (2 * 79)
    wanted = max(squares.sum() - of_rest, LEAST[1] * squares[1]) / 240
    assert usual.error == pytest.approx(np.sqrt(wanted))
