"""Query selectors against plain loops: an order of all that is not trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from harness.data import FloatArray, IntArray
from harness.protocols import Evidence
from harness_plugins.selectors import contrast, diversity
from tests.factories import random_evidence, selector, token_evidence

NONE = np.zeros(0, dtype=np.int64)
WHOLE = ("untrusted", "least-confidence", "margin", "entropy", "core-set", "badge", "cal")


def asked(spec: str, seen: Evidence, trusted: IntArray, seed: int = 0) -> list[int]:
    found = selector("query", spec)(seen, trusted, np.random.default_rng(seed))
    assert found.dtype == np.int64
    rows: list[int] = found.tolist()
    return rows


def pools() -> Iterator[tuple[Evidence, IntArray]]:
    yield random_evidence(60, 4), np.arange(0, 60, 4)
    yield token_evidence(50, 2), np.arange(5, 30)


@pytest.mark.parametrize("spec", WHOLE)
def test_each_untrusted_row_is_named_once(spec: str) -> None:
    for seen, trusted in pools():
        everything = np.arange(len(seen))
        for known in (trusted, NONE, everything[:-1], everything):
            expected = sorted(set(everything.tolist()) - set(known.tolist()))
            assert sorted(asked(spec, seen, known)) == expected


@pytest.mark.parametrize("spec", WHOLE)
def test_the_order_repeats_with_the_seed_and_leaves_evidence_alone(spec: str) -> None:
    for seen, trusted in pools():
        kept = seen.embeddings.copy(), seen.log_probabilities.copy()
        assert asked(spec, seen, trusted, 1) == asked(spec, seen, trusted, 1)
        assert np.array_equal(seen.embeddings, kept[0])
        assert np.array_equal(seen.log_probabilities, kept[1])


# --- uncertainty ---------------------------------------------------------------------


def entropy(p: FloatArray) -> float:
    return -sum(float(x) * float(np.log(x)) for x in p)


MEASURES: dict[str, Callable[[FloatArray], float]] = {
    "least-confidence": lambda p: 1 - max(p),
    "margin": lambda p: sorted(p)[-2] - sorted(p)[-1],
    "entropy": entropy,
}


@pytest.mark.parametrize("spec", MEASURES)
def test_uncertainty_agrees_with_a_loop(spec: str) -> None:
    for seen, trusted in pools():
        p = np.exp(seen.log_probabilities.astype(np.float64))
        rest = [row for row in range(len(seen)) if row not in trusted.tolist()]
        score = {
            row: np.mean([MEASURES[spec](p[u]) for u in range(*seen.offsets[row : row + 2])])
            for row in rest
        }
        found = asked(spec, seen, trusted)
        assert [score[row] for row in found] == pytest.approx(
            sorted(score.values(), reverse=True), abs=1e-5
        )


def test_a_certain_prediction_has_no_entropy_and_comes_last() -> None:
    seen = random_evidence(5, 2)
    log = np.log(np.full((5, 2), 0.5, dtype=np.float32))
    log[2] = [0, -np.inf]
    assert asked("entropy", replace(seen, log_probabilities=log), NONE) == [0, 1, 3, 4, 2]


def test_bald_agrees_with_a_loop() -> None:
    for seen, trusted in pools():
        draw = np.random.default_rng(3)
        passes = []
        for _ in range(4):
            logits = draw.normal(size=seen.log_probabilities.shape) * 2
            log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            passes.append(log.astype(np.float32))
        score = {}
        for row in (row for row in range(len(seen)) if row not in trusted.tolist()):
            units = range(*seen.offsets[row : row + 2])
            p = np.exp(np.array([[one[u] for one in passes] for u in units], dtype=np.float64))
            of = [entropy(unit.mean(axis=0)) - np.mean([entropy(q) for q in unit]) for unit in p]
            score[row] = np.mean(of)
        found = asked("bald:4", replace(seen, passes=passes), trusted)
        assert sorted(found) == sorted(score)
        assert [score[row] for row in found] == pytest.approx(
            sorted(score.values(), reverse=True), abs=1e-6
        )


def test_passes_that_agree_dispute_nothing_however_unsure_they_are() -> None:
    seen = random_evidence(4, 2)
    unsure, sure = np.log([0.5, 0.5]), np.log([0.99, 0.01])
    passes = [np.array([unsure, sure, one, unsure], dtype=np.float32) for one in (sure, sure[::-1])]
    assert asked("bald", replace(seen, passes=passes), NONE) == [2, 0, 1, 3]


# --- core-set, BADGE, CAL --------------------------------------------------------------


def away(a: FloatArray, b: FloatArray) -> float:
    return float(((a.astype(np.float64) - b.astype(np.float64)) ** 2).sum())


def test_core_set_agrees_with_a_loop() -> None:
    for seen, trusted in pools():
        centres, expected = trusted.tolist(), []
        rest = [row for row in range(len(seen)) if row not in centres]
        while rest:
            row = max(
                rest,
                key=lambda r: min(away(seen.embeddings[r], seen.embeddings[c]) for c in centres),
            )
            rest.remove(row)
            centres.append(row)
            expected.append(row)
        assert asked("core-set", seen, trusted) == expected


def gradients(seen: Evidence) -> FloatArray:
    """Of the last layer, as if the prediction were the label: the outer products in full."""
    found = []
    for row in range(len(seen)):
        units = slice(seen.offsets[row], seen.offsets[row + 1])
        p = np.exp(seen.log_probabilities[units].astype(np.float64)).mean(axis=0)
        found.append(np.outer(p - np.eye(len(p))[p.argmax()], seen.embeddings[row]).ravel())
    return np.array(found)


def test_badge_begins_with_the_largest_gradient_and_draws_by_distance() -> None:
    for seen, _ in pools():
        full = gradients(seen)
        lengths = (full**2).sum(axis=1)
        first = int(lengths.argmax())
        seconds = [asked("badge", seen, NONE, seed) for seed in range(600)]
        assert {order[0] for order in seconds} == {first}
        chance = ((full - full[first]) ** 2).sum(axis=1)
        drawn = np.bincount([order[1] for order in seconds], minlength=len(seen))
        expected = 600 * chance / chance.sum()
        # Chi-square: its mean is the number of rows, its deviation the root of twice that.
        usable = expected > 0
        distance = ((drawn - expected)[usable] ** 2 / expected[usable]).sum()
        assert distance < len(seen) + 4 * np.sqrt(2 * len(seen))
        assert not drawn[~usable].any()


def test_badge_avoids_repeats_until_nothing_else_is_left() -> None:
    seen = random_evidence(40, 3)
    row = np.repeat(np.arange(10), 4)  # each row four times
    same = replace(
        seen, embeddings=seen.embeddings[row], log_probabilities=seen.log_probabilities[row]
    )
    order = asked("badge", same, NONE)
    assert len({row[at] for at in order[:10]}) >= 9
    assert sorted(order) == list(range(40))


def test_cal_agrees_with_a_loop() -> None:
    for seen, trusted in pools():
        p = [
            np.exp(seen.log_probabilities[a:b].astype(np.float64)).mean(axis=0)
            for a, b in zip(seen.offsets[:-1], seen.offsets[1:], strict=True)
        ]
        score = {}
        for row in set(range(len(seen))) - set(trusted.tolist()):
            near = sorted(trusted, key=lambda r: away(seen.embeddings[r], seen.embeddings[row]))
            score[row] = np.mean([(p[r] * np.log(p[r] / p[row])).sum() for r in near[:10]])
        found = asked("cal", seen, trusted)
        assert [score[r] for r in found] == pytest.approx(sorted(score.values())[::-1], abs=1e-5)


@pytest.mark.parametrize("spec", ["core-set", "badge", "cal"])
def test_a_large_pool_is_thinned_and_the_rest_follows(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diversity, "CANDIDATES", 30)
    monkeypatch.setattr(diversity, "PICKS", 10)
    monkeypatch.setattr(contrast, "CANDIDATES", 30)
    monkeypatch.setattr(contrast, "KNOWN", 8)
    seen, trusted = random_evidence(200, 3), np.arange(0, 200, 5)
    first, other = asked(spec, seen, trusted, 0), asked(spec, seen, trusted, 1)
    assert sorted(first) == sorted(set(range(200)) - set(trusted.tolist()))
    assert first != other
    assert first[30:] != sorted(first[30:])
