"""Which demonstrations are chosen and shown: each choice and each retrieval against a loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.data import FloatArray, IntArray, Selection
from harness.protocols import Evidence
from harness.run.feedback import thin_classes
from tests.factories import random_evidence, selector, sequence_card, token_card, token_evidence

CHOICES = ("k-medoids", "k-means", "confident", "uncertain", "diverse", "random")


def chosen(spec: str, seen: Evidence, trusted: IntArray, seed: int = 0) -> list[int]:
    part = selector("demonstrations", spec)
    rows: list[int] = part.choose(seen, trusted, np.random.default_rng(seed)).tolist()
    return rows


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("number", [1, 7, 30, 500])
def test_a_choice_fills_the_share_of_each_class_with_different_rows(name: str, number: int) -> None:
    seen = replace(random_evidence(90, 3), groups_count=4)  # the last class is empty
    trusted = np.flatnonzero(seen.groups >= 0)[::2]
    found = chosen(f"{name}:{number}", seen, trusted, seed=5)
    assert found == sorted(set(found))
    assert set(found) <= set(trusted.tolist())
    assert len(found) == min(number, len(trusted))
    assert found == chosen(f"{name}:{number}", seen, trusted, seed=5)
    if number == 30:
        assert np.bincount(seen.groups[found]).tolist() == [10, 10, 10]


@pytest.mark.parametrize(("name", "sign"), [("confident", -1), ("uncertain", 1)])
def test_confident_and_uncertain_agree_with_a_loop(name: str, sign: int) -> None:
    seen = random_evidence(80, 2)
    trusted = np.flatnonzero(seen.groups >= 0)
    expected = []
    for group in range(2):
        rows = [row for row in trusted.tolist() if seen.groups[row] == group]
        expected += sorted(rows, key=lambda row: sign * seen.student_confidence[row])[:6]
    assert chosen(f"{name}:12", seen, trusted) == sorted(expected)


def one_class(vectors: FloatArray) -> Evidence:
    seen = random_evidence(len(vectors), 1)
    return replace(seen, groups=np.zeros(len(vectors), dtype=np.int32), embeddings=vectors)


def blobs(seed: int, count: int, size: int) -> FloatArray:
    draw = np.random.default_rng(seed)
    centres = 5 * np.eye(count)[np.repeat(np.arange(count), size)]
    return (centres + draw.normal(size=centres.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_k_means_takes_the_example_nearest_to_each_centroid(seed: int) -> None:
    from sklearn.cluster import KMeans

    vectors = blobs(seed, 4, 20)
    centroids = KMeans(4, n_init=10, random_state=0).fit(vectors).cluster_centers_
    expected = sorted(int(((vectors - c) ** 2).sum(axis=1).argmin()) for c in centroids)
    # Lloyd's algorithm finds a local optimum: of ten starts the best is the one to compare with.
    found = [chosen("k-means:4", one_class(vectors), np.arange(80), at) for at in range(10)]
    assert expected in found


def test_diverse_rows_agree_with_a_loop_from_the_same_start() -> None:
    seen = one_class(np.random.default_rng(3).normal(size=(40, 5)).astype(np.float32))
    unit = seen.embeddings / np.linalg.norm(seen.embeddings, axis=1, keepdims=True)
    start = chosen("diverse:1", seen, np.arange(40), seed=2)
    expected = list(start)
    while len(expected) < 9:
        rest = [row for row in range(40) if row not in expected]
        expected.append(max(rest, key=lambda r: min(1 - unit[r] @ unit[e] for e in expected)))
    assert chosen("diverse:9", seen, np.arange(40), seed=2) == sorted(expected)


def test_repeated_texts_are_shown_only_where_nothing_else_is_left() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    for name in ("k-means", "diverse", "k-medoids"):
        three = chosen(f"{name}:3", one_class(vectors), np.arange(30))
        assert len({row // 10 for row in three}) == 3, name
        assert len(chosen(f"{name}:12", one_class(vectors), np.arange(30))) == 12


def test_entity_types_and_sentences_without_any_get_equal_shares() -> None:
    seen = token_evidence(900, 3)
    trusted = np.flatnonzero(seen.groups >= 0)
    assert np.bincount(seen.groups[trusted], minlength=4).min() >= 25
    for name in CHOICES:
        rows = chosen(f"{name}:100", seen, trusted)
        assert np.bincount(seen.groups[rows], minlength=4).tolist() == [25] * 4


# --- retrieval -----------------------------------------------------------------------


def shown(spec: str, shots: int, own: IntArray, groups: IntArray) -> list[list[int]]:
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(len(groups), 5)).astype(np.float32)
    targets = np.where(own[:, None] >= 0, vectors[own], draw.normal(size=(len(own), 5)))
    part = selector("demonstrations", spec, shots)
    found = part.assign(vectors, groups, targets.astype(np.float32), own, np.random.default_rng(0))
    assert found.shape == (len(own), shots)
    return [[row for row in rows if row >= 0] for rows in found.tolist()]


def cosines() -> tuple[FloatArray, FloatArray]:
    """What ``shown`` compares: demonstrations by demonstrations, and each with its class mean."""
    vectors = np.random.default_rng(1).normal(size=(24, 5)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    means = np.array([unit[group == GROUPS].mean(axis=0) for group in GROUPS])
    return unit @ unit.T, (unit * means).sum(axis=1) / np.linalg.norm(means, axis=1)


GROUPS = np.repeat([0, 1, 2], [6, 8, 10]).astype(np.int32)
OWN = np.arange(24)


@pytest.mark.parametrize("name", CHOICES)
def test_nearest_ignores_classes(name: str) -> None:
    alike, _ = cosines()
    for row, found in enumerate(shown(f"{name},retrieval=nearest", 7, OWN, GROUPS)):
        others = sorted((r for r in range(24) if r != row), key=lambda r: -alike[row, r])
        assert found == others[:7]


@pytest.mark.parametrize("name", CHOICES)
def test_balanced_shows_the_nearest_of_each_class_in_label_order(name: str) -> None:
    alike, _ = cosines()
    for row, found in enumerate(shown(f"{name},retrieval=balanced", 6, OWN, GROUPS)):
        expected = []
        for group in range(3):
            rows = [r for r in range(24) if GROUPS[r] == group and r != row]
            expected += sorted(rows, key=lambda r: -alike[row, r])[:2]
        assert found == expected


def test_fixed_shows_the_same_to_all_but_never_an_example_itself() -> None:
    _, central = cosines()
    for row, found in enumerate(shown("k-medoids,retrieval=fixed", 6, OWN, GROUPS)):
        expected = []
        for group in range(3):
            rows = [r for r in range(24) if GROUPS[r] == group and r != row]
            expected += sorted(rows, key=lambda r: -central[r])[:2]
        assert found == expected
    strangers = shown("k-medoids,retrieval=fixed", 6, np.full(9, -1), GROUPS)
    assert len({tuple(found) for found in strangers}) == 1


def test_random_retrieval_shows_different_rows_that_are_never_the_example_itself() -> None:
    found = shown("k-medoids,retrieval=random", 6, OWN, GROUPS)
    assert all(len(set(rows)) == 6 and row not in rows for row, rows in enumerate(found))
    assert len({tuple(rows) for rows in found}) > 20
    assert found == shown("random", 6, OWN, GROUPS)


# --- few candidates ------------------------------------------------------------------


def test_classes_with_few_candidates_are_named() -> None:
    groups = np.repeat([0, 1, 2], [50, 2, 50]).astype(np.int32)
    seen = replace(random_evidence(102, 4), groups=groups)
    rows = np.flatnonzero(groups >= 0)
    selection = Selection(rows, np.array(chosen("random:40", seen, rows)), rows[:0])
    said = thin_classes(selection, seen, sequence_card("a", "b", "c", "d"))
    assert said is not None
    assert said.endswith("b (2), d (0)")
    plenty = rows[groups[rows] != 1]
    seen = replace(seen, groups=groups % 2, groups_count=1)
    assert thin_classes(Selection(plenty, plenty[:5], rows[:0]), seen, sequence_card("a")) is None
    nothing = Selection(rows[:0], rows[:0], rows)
    assert thin_classes(nothing, random_evidence(102, 4), sequence_card(*"abcd")) is None


def test_few_sentences_without_entities_are_named_as_such() -> None:
    seen = replace(random_evidence(30, 2), groups=np.ones(30, dtype=np.int32))
    everything = np.arange(30)
    said = thin_classes(Selection(everything, everything[:10], everything), seen, token_card("X"))
    assert said is not None
    assert said.endswith("no entity (0)")
