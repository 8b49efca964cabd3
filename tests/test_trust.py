"""Trust selectors against plain loops, and the reference run's records against our rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data import Annotations, FloatArray, IntArray, StudentView
from harness.protocols import Evidence
from harness.run.feedback import evidence as evidence_of
from tests.factories import random_evidence, selector, sequence_card, token_evidence

MR = Path(__file__).parents[2] / "shared/data/mr"


def trusted(spec: str, seen: Evidence, seed: int = 0) -> list[int]:
    rows: list[int] = selector("trust", spec)(seen, np.random.default_rng(seed)).tolist()
    return rows


def answered(seen: Evidence) -> list[int]:
    return [row for row in range(len(seen)) if seen.groups[row] >= 0]


def share_of(share: float, rows: list[int]) -> int:
    return min(len(rows), max(1, int(share * len(rows) + 1e-9)))


def by_class(seen: Evidence, share: float, *, agreeing: bool, of_agreeing: bool) -> list[int]:
    chosen: list[int] = []
    for group in range(seen.groups_count):
        rows = [row for row in range(len(seen)) if seen.groups[row] == group]
        agrees = [row for row in rows if seen.agrees[row]]
        among = sorted(agrees if agreeing else rows, key=lambda row: (seen.losses[row], row))
        chosen += among[: share_of(share, agrees if of_agreeing else rows)]
    return sorted(chosen)


def whole_pool(seen: Evidence, share: float) -> list[int]:
    rows = sorted(answered(seen), key=lambda row: (seen.losses[row], row))
    return sorted(rows[: share_of(share, rows)])


LOOPS: dict[str, Callable[[Evidence], list[int]]] = {
    "small-loss": lambda seen: by_class(seen, 0.2, agreeing=False, of_agreeing=False),
    "small-loss:0.01": lambda seen: by_class(seen, 0.01, agreeing=False, of_agreeing=False),
    "small-loss:1": answered,
    "agreeing-small-loss": lambda seen: by_class(seen, 0.2, agreeing=True, of_agreeing=False),
    "reference-small-loss": lambda seen: by_class(seen, 0.2, agreeing=True, of_agreeing=True),
    "reference-small-loss:1": lambda seen: [row for row in answered(seen) if seen.agrees[row]],
    "fraction": lambda seen: whole_pool(seen, 0.2),
    "fraction:0.55": lambda seen: whole_pool(seen, 0.55),
    "agreement": lambda seen: [row for row in answered(seen) if seen.agrees[row]],
    "confidence:0.6": lambda seen: [r for r in answered(seen) if seen.student_confidence[r] >= 0.6],
    "all": answered,
    "none": lambda seen: [],
}


@pytest.mark.parametrize("spec", LOOPS)
@pytest.mark.parametrize("seed", range(3))
def test_trust_agrees_with_a_loop(spec: str, seed: int) -> None:
    texts = replace(random_evidence(90, 4, seed), groups_count=5)  # the last class is empty
    sentences = token_evidence(80, 2, seed)
    for seen in (texts, sentences):
        assert trusted(spec, seen) == LOOPS[spec](seen)


@pytest.mark.parametrize("spec", [*LOOPS, "mixture", "confident-learning", "random"])
def test_nobody_trusts_where_nobody_answered(spec: str) -> None:
    seen = random_evidence(20, 2)
    nothing = np.full(20, -1, dtype=np.int32)
    silent = replace(seen, groups=nothing, labels=nothing, agrees=np.zeros(20, dtype=bool))
    assert trusted(spec, replace(silent, losses=np.full(20, np.nan, np.float32))) == []


# --- models of the noise ---------------------------------------------------------------


def test_a_mixture_parts_small_from_large_losses() -> None:
    draw = np.random.default_rng(0)
    seen = random_evidence(400, 3)
    large = draw.random(400) < 0.3
    losses = np.where(large, draw.normal(3, 0.3, 400), draw.normal(0.3, 0.1, 400))
    losses = np.where(seen.groups < 0, np.nan, losses).astype(np.float32)
    assert trusted("mixture", replace(seen, losses=losses)) == [
        row for row in answered(seen) if not large[row]
    ]
    overlapping = replace(seen, losses=np.where(seen.groups < 0, np.nan, draw.random(400)))
    assert len(trusted("mixture:0.99", overlapping)) < len(trusted("mixture:0.01", overlapping))


def confident_learning_by_loop(seen: Evidence) -> list[int]:
    """Northcutt et al. 2021, equations 1-3, and prune by noise rate, unit by unit."""
    p = np.exp(seen.log_probabilities)
    classes = range(p.shape[1])
    of = {i: [u for u, label in enumerate(seen.labels) if label == i] for i in classes}
    mean = {j: np.mean([p[u, j] for u in of[j]]) if of[j] else np.inf for j in classes}
    counts = np.zeros((len(classes), len(classes)))
    for i in classes:
        for u in of[i]:
            passing = [j for j in classes if p[u, j] >= mean[j]]
            if passing:
                counts[i, max(passing, key=lambda j: p[u, j])] += 1
    wrong: set[int] = set()
    for i in classes:
        for j in classes:
            if i != j and counts[i].sum():
                expected = round(counts[i, j] / counts[i].sum() * len(of[i]))
                wrong |= set(sorted(of[i], key=lambda u: p[u, i] - p[u, j])[:expected])
    units = [range(a, b) for a, b in zip(seen.offsets[:-1], seen.offsets[1:], strict=True)]
    return [row for row in answered(seen) if not wrong & set(units[row])]


@pytest.mark.parametrize("seed", range(4))
def test_confident_learning_agrees_with_a_loop(seed: int) -> None:
    for seen in (random_evidence(150, 4, seed), token_evidence(60, 2, seed)):
        found = trusted("confident-learning", seen)
        assert found == confident_learning_by_loop(seen)
        assert 0 < len(found) < len(answered(seen))


def test_confident_learning_finds_flipped_labels() -> None:
    draw = np.random.default_rng(2)
    true = draw.integers(0, 3, 600)
    flipped = draw.random(600) < 0.15
    labels = np.where(flipped, (true + 1) % 3, true).astype(np.int32)
    logits = draw.normal(size=(600, 3)) + 4 * np.eye(3)[true]
    log = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    seen = replace(random_evidence(600, 3), groups=labels, labels=labels, log_probabilities=log)
    found = trusted("confident-learning", seen)
    assert 495 < len(found) < 530
    assert flipped[found].mean() < 0.02


def test_oracle_trusts_as_many_and_none_that_is_wrong() -> None:
    for seen in (random_evidence(200, 3), token_evidence(120, 2)):
        right = np.random.default_rng(1).random(len(seen)) < 0.6
        found = selector("trust", "oracle:0.3")(seen, np.random.default_rng(0), right)
        assert found.tolist() == by_class(
            replace(seen, agrees=right), 0.3, agreeing=True, of_agreeing=False
        )
        assert right[found].all() and len(found) > 20


# --- the reference implementation's records of MR ---------------------------------------


@pytest.mark.skipif(not MR.exists(), reason="needs the real data beside the clone")
def test_the_reference_rule_repeats_the_recorded_run_of_mr() -> None:
    record = json.loads((MR / "feedback.json").read_text(encoding="utf-8"))
    lines = (MR / "train_gpt35.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    number = {"negative": 0, "positive": 1}
    llm = np.array([number.get(row["llm_label"], -1) for row in rows], dtype=np.int32)
    gold = np.array([number[row["label"]] for row in rows], dtype=np.int32)
    student = np.array(record["pred_label"], dtype=np.int32)
    clean = np.array(record["right_list"])
    seen = mr_evidence(llm, student, surest=clean)
    counts = [int((seen.agrees & (llm == label)).sum()) for label in (0, 1)]
    assert counts == [4050, 3738]
    # Which rows have the largest logits is not recorded, only that the clean ones have: with
    # these the surest, the rule names exactly them.
    found = trusted("reference-small-loss", seen)
    assert [int((llm[found] == label).sum()) for label in (0, 1)] == [810, 747]
    assert found == sorted(clean.tolist())
    assert (student[found] == gold[found]).mean() == pytest.approx(0.9827, abs=5e-5)
    # The other two rules take a share of all annotated ones, so more.
    assert (
        len(trusted("small-loss", seen)) == len(trusted("agreeing-small-loss", seen)) == 892 + 763
    )
    check_demonstrations(record["demo_index"], seen, np.array(found), student, gold)


def mr_evidence(llm: IntArray, student: IntArray, surest: IntArray) -> Evidence:
    """The recorded labels and predictions, sure of some rows; vectors are random."""
    draw = np.random.default_rng(0)
    sure = draw.uniform(0.6, 0.9, len(llm))
    sure[surest] = 0.99
    p: FloatArray = np.where(np.arange(2) == student[:, None], sure[:, None], 1 - sure[:, None])
    vectors = draw.normal(size=(len(llm), 8)).astype(np.float32)
    offsets = np.arange(len(llm) + 1)
    view = StudentView(np.log(p).astype(np.float32), student, vectors, offsets)
    return evidence_of(Annotations.of(llm, offsets), view, sequence_card("negative", "positive"))


def check_demonstrations(
    recorded: list[list[int]], seen: Evidence, clean: IntArray, student: IntArray, gold: IntArray
) -> None:
    """Fifty a class, five a class in label order for each example: the record's, and ours."""
    shown = np.array(recorded)
    pool = np.unique(shown)
    assert set(pool.tolist()) <= set(clean.tolist())
    assert np.bincount(student[pool]).tolist() == [50, 50]
    assert (student[pool] == gold[pool]).mean() == pytest.approx(0.97)
    part = selector("demonstrations", "k-means")
    ours = part.choose(seen, clean, np.random.default_rng(0))
    assert np.bincount(seen.groups[ours]).tolist() == [50, 50]
    arguments = (seen.embeddings[ours], seen.groups[ours], seen.embeddings)
    nearest = part.assign(*arguments, np.full(len(seen), -1), np.random.default_rng(0))
    order = [0] * 5 + [1] * 5
    assert (student[shown] == order).all()
    assert (seen.groups[ours][nearest] == order).all()
