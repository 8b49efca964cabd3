"""How often the 95 % intervals of ``harness certify`` hold the truth, over simulated runs.

    python -m tests.benchmarks.certify [--runs 1000] [--seed 0]

A run labels a pool of 5,000 texts of five labels, or sentences of two entity types; some labels
are much rarer than others, and wrong ones are commoner in some. Rows are drawn from the pool at
random and labelled by hand; the truth is the score on all of the pool. In %.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping
from time import perf_counter

import numpy as np

from harness.data import IntArray, Label, TaskCard, offsets_of, take_units
from harness.label.certificate import Judged, judge
from harness.stats.outcomes import Interval, Outcomes, mention_counts

POOL = 5000
SHARES = (0.35, 0.25, 0.2, 0.12, 0.08)
RIGHT = (0.95, 0.9, 0.8, 0.9, 0.7)
"""Of each label, how often the run gives it where it is due."""
CARD = TaskCard("texts", "sequence", "accuracy", tuple(Label(name, name) for name in "abcde"))
TOKENS = TaskCard("sentences", "token", "entity_f1", (Label("a", "a"), Label("b", "b")))
LENGTH = 12
"""Tokens of a sentence."""


def texts(rng: np.random.Generator) -> tuple[IntArray, IntArray, IntArray]:
    """Labels that a run gave, true ones, and offsets."""
    true = rng.choice(5, POOL, p=SHARES)
    wrong = (true + rng.integers(1, 5, POOL)) % 5
    said = np.where(rng.random(POOL) < np.asarray(RIGHT)[true], true, wrong)
    return said, true, np.arange(POOL + 1)


def sentences(rng: np.random.Generator) -> tuple[IntArray, IntArray, IntArray]:
    """Tags that a run gave, true ones, and offsets."""
    size = POOL * LENGTH
    places = rng.random((POOL, LENGTH // 2)) < 0.25  # a mention of one or two tokens, or none
    kinds, long = rng.integers(0, 2, places.shape), rng.random(places.shape) < 0.5
    true = np.zeros((POOL, LENGTH), dtype=np.int64)
    true[:, ::2] = np.where(places, 2 * kinds + 1, 0)
    true[:, 1::2] = np.where(places & long, 2 * kinds + 2, 0)
    hard = rng.random((POOL, 1)) < 0.3  # in some sentences most mentions are missed
    missed = rng.random(places.shape) < np.where(hard, 0.5, 0.1)
    said = true.copy()
    said[:, ::2][missed] = 0
    said[:, 1::2][missed] = 0
    more = (rng.random(places.shape) < 0.05) & (said[:, ::2] == 0)
    said[:, ::2][more] = 1
    return said.reshape(size), true.reshape(size), offsets_of([LENGTH] * POOL)


def holds(judged: Judged | None, truth: float) -> bool | None:
    interval: Interval | None = judged.interval if judged else None
    return None if interval is None else interval.low <= truth <= interval.high


def coverage(runs: int, rows: int, seed: int) -> Mapping[str, float]:
    """Shares of simulated runs whose interval holds the truth, by what it is an interval of."""
    found: dict[str, list[bool]] = defaultdict(list)
    rng = np.random.default_rng([seed, rows])

    def note(name: str, judged: Judged | None, truth: float) -> None:
        if (held := holds(judged, truth)) is not None:
            found[name].append(held)

    for _ in range(runs):
        said, true, offsets = texts(rng)
        drawn = np.sort(rng.permutation(POOL)[:rows])
        judged, by_label = judge(said[drawn], true[drawn], np.arange(rows + 1), CARD)
        note("accuracy", judged, float((said == true).mean()))
        for index, name in enumerate("abcde"):
            hit = said == true
            note("found, by label", by_label[name].found, float(hit[true == index].mean()))
            note("right, by label", by_label[name].right, float(hit[said == index].mean()))
        said, true, offsets = sentences(rng)
        (one, some), (other, _) = (take_units(tags, offsets, drawn) for tags in (said, true))
        judged, by_label = judge(one, other, some, TOKENS)
        note("entity F1", judged, Outcomes.of_mentions(mention_counts(said, true, offsets)).score)
        whole = judge_types(said, true, offsets)
        for name in "ab":
            note("entity F1, by type", by_label[name].f1, whole[name])
    return {name: float(np.mean(held)) for name, held in found.items()}


def judge_types(said: IntArray, true: IntArray, offsets: IntArray) -> Mapping[str, float]:
    """F1 of each type on the whole pool."""
    found = {}
    for index, name in enumerate("ab"):
        kept = (2 * index + 1, 2 * index + 2)
        one, other = (np.where(np.isin(tags, kept), tags, 0) for tags in (said, true))
        found[name] = Outcomes.of_mentions(mention_counts(one, other, offsets)).score
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for rows in (200, 300, 400):
        began = perf_counter()
        found = coverage(options.runs, rows, options.seed)
        said = ", ".join(f"{name} {100 * held:.1f}" for name, held in found.items())
        print(f"{rows} rows by hand: {said} ({perf_counter() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
