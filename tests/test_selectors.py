"""Selectors against plain loops: trust, demonstrations, query."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from harness.data import FloatArray, IntArray
from harness.errors import CommandError
from harness.protocols import Evidence
from harness_plugins.selectors import retrieval
from harness_plugins.selectors.demonstrations import quotas
from harness_plugins.selectors.medoids import medoids
from tests.factories import random_evidence, selector

NONE = np.zeros(0, dtype=np.int64)
ALL_SPECS = [
    ("trust", "agreeing-small-loss"),
    ("trust", "all"),
    ("trust", "random"),
    ("query", "untrusted"),
    ("query", "all"),
    ("query", "random"),
    ("query", "none"),
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def members(evidence: Evidence, group: int) -> list[int]:
    return np.flatnonzero(evidence.groups == group).tolist()


def ask(role: str, spec: str, evidence: Evidence, seed: int = 0) -> IntArray:
    """The answer of a trust or query selector; the first third is trusted."""
    chosen = selector(role, spec)
    if role == "trust":
        return np.asarray(chosen(evidence, rng(seed)))
    return np.asarray(chosen(evidence, np.arange(len(evidence) // 3), rng(seed)))


@pytest.mark.parametrize(("role", "spec"), ALL_SPECS)
def test_answers_are_different_rows_and_repeat_with_the_seed(role: str, spec: str) -> None:
    evidence = random_evidence(120, 4)
    rows = ask(role, spec, evidence, seed=3)
    assert rows.dtype == np.int64
    assert len(set(rows.tolist())) == len(rows)
    assert set(rows.tolist()) <= set(range(120))
    assert rows.tolist() == ask(role, spec, evidence, seed=3).tolist()
    if "random" in spec:
        assert rows.tolist() != ask(role, spec, evidence, seed=4).tolist()


# --- trust ---------------------------------------------------------------------------


def small_loss_by_loop(evidence: Evidence, fraction: float) -> list[int]:
    chosen: list[int] = []
    for group in range(evidence.groups_count):
        rows = members(evidence, group)
        agreeing = [row for row in rows if evidence.agrees[row]]
        agreeing.sort(key=lambda row: (evidence.losses[row], row))
        chosen += agreeing[: max(1, int(fraction * len(rows)))]
    return sorted(chosen)


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_small_loss_agrees_with_a_loop(fraction: float, seed: int) -> None:
    evidence = random_evidence(90, 5, seed)
    found = ask("trust", f"agreeing-small-loss:{fraction}", evidence)
    assert found.tolist() == small_loss_by_loop(evidence, fraction)


def test_small_loss_takes_a_fifth_unless_told_otherwise() -> None:
    evidence = random_evidence(90, 5)
    assert ask("trust", "agreeing-small-loss", evidence).tolist() == small_loss_by_loop(
        evidence, 0.2
    )


def test_small_loss_where_classes_are_empty_or_nobody_agrees() -> None:
    evidence = replace(random_evidence(40, 2), groups_count=6)
    assert ask("trust", "agreeing-small-loss", evidence).tolist() == small_loss_by_loop(
        evidence, 0.2
    )
    disagreeing = replace(evidence, agrees=np.zeros(40, dtype=bool))
    assert ask("trust", "agreeing-small-loss", disagreeing).tolist() == []


def test_trust_all_takes_every_answered_row() -> None:
    evidence = random_evidence(50, 3)
    expected = [row for row in range(50) if evidence.groups[row] >= 0]
    assert 0 < len(expected) < 50
    assert ask("trust", "all", evidence).tolist() == expected


@pytest.mark.parametrize("fraction", [0.1, 0.2, 1.0])
def test_random_trust_takes_a_share_of_each_class(fraction: float) -> None:
    evidence = replace(random_evidence(100, 4), groups_count=5)  # the last class is empty
    rows = ask("trust", f"random:{fraction}", evidence)
    assert rows.tolist() == sorted(rows.tolist())
    for group in range(4):
        available = len(members(evidence, group))
        taken = int((evidence.groups[rows] == group).sum())
        assert taken == max(1, int(fraction * available))
    assert (evidence.groups[rows] >= 0).all()


# --- query ---------------------------------------------------------------------------


def test_untrusted_asks_abstentions_first_then_large_losses() -> None:
    evidence = random_evidence(60, 3)
    trusted = np.asarray([4, 8, 15, 16, 23, 42])
    rest = [row for row in range(60) if row not in trusted.tolist()]
    silent = [row for row in rest if evidence.groups[row] < 0]
    answered = [row for row in rest if evidence.groups[row] >= 0]
    answered.sort(key=lambda row: (-evidence.losses[row], row))
    found = selector("query", "untrusted")(evidence, trusted, rng())
    assert found.tolist() == silent + answered


def test_untrusted_asks_nothing_where_all_is_trusted_and_all_where_nothing_is() -> None:
    evidence = random_evidence(10, 2)
    untrusted = selector("query", "untrusted")
    assert untrusted(evidence, np.arange(10), rng()).tolist() == []
    assert sorted(untrusted(evidence, NONE, rng()).tolist()) == list(range(10))


def test_query_all_and_none() -> None:
    evidence = random_evidence(10, 2)
    assert ask("query", "all", evidence).tolist() == list(range(10))
    assert ask("query", "none", evidence).tolist() == []


@pytest.mark.parametrize(("spec", "count"), [("random", 10), ("random:0.25", 25), ("random:1", 97)])
def test_random_query_asks_a_share_of_the_untrusted(spec: str, count: int) -> None:
    trusted = np.asarray([1, 50, 99])
    found = selector("query", spec)(random_evidence(100, 2), trusted, rng())
    assert len(found) == count
    assert not set(found.tolist()) & set(trusted.tolist())
    assert found.tolist() != sorted(found.tolist())


# --- quotas --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "available", "expected"),
    [
        (100, [500, 500], [50, 50]),
        (100, [500, 500, 500], [34, 33, 33]),
        (100, [10, 500, 500], [10, 45, 45]),
        (10, [0, 3, 100], [0, 3, 7]),
        (10, [2, 2], [2, 2]),
        (1, [5, 5], [1, 0]),
        (7, [0, 0], [0, 0]),
        (5, [1, 1, 9], [1, 1, 3]),
    ],
)
def test_quotas(total: int, available: list[int], expected: list[int]) -> None:
    assert quotas(total, available) == expected


def test_quotas_are_full_and_fair() -> None:
    draw = rng()
    for _ in range(300):
        available = draw.integers(0, 30, int(draw.integers(1, 8))).tolist()
        total = int(draw.integers(1, 120))
        given = quotas(total, available)
        assert sum(given) == min(total, sum(available))
        assert all(0 <= got <= have for got, have in zip(given, available, strict=True))
        unfilled = [got for got, have in zip(given, available, strict=True) if got < have]
        assert not unfilled or max(given) - min(unfilled) <= 1


# --- demonstrations: choose ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["k-medoids", "random"])
@pytest.mark.parametrize("number", [7, 30, 1000])
def test_demonstrations_fill_the_quota_of_each_class(kind: str, number: int) -> None:
    evidence = replace(random_evidence(80, 3), groups_count=4)  # the last class is empty
    trusted = ask("trust", "agreeing-small-loss:0.6", evidence)
    chosen = selector("demonstrations", f"{kind}:{number}").choose(evidence, trusted, rng())
    counts = [int((evidence.groups[trusted] == g).sum()) for g in range(4)]
    assert [int((evidence.groups[chosen] == g).sum()) for g in range(4)] == quotas(number, counts)
    assert set(chosen.tolist()) <= set(trusted.tolist())
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.dtype == np.int64


@pytest.mark.parametrize("kind", ["k-medoids", "random"])
def test_demonstrations_repeat_with_the_seed(kind: str) -> None:
    evidence = random_evidence(300, 2)
    trusted = ask("trust", "all", evidence)
    parts = [selector("demonstrations", f"{kind}:12") for _ in range(3)]
    first, again, other = (
        part.choose(evidence, trusted, rng(seed)).tolist()
        for part, seed in zip(parts, (1, 1, 2), strict=True)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("kind", ["k-medoids", "random"])
def test_no_demonstrations_where_nothing_is_trusted(kind: str) -> None:
    chosen = selector("demonstrations", kind).choose(random_evidence(20, 2), NONE, rng())
    assert chosen.tolist() == []


def clusters(draw: np.random.Generator, count: int, size: int) -> FloatArray:
    """Vectors around orthogonal directions, of random lengths (a cosine ignores those)."""
    centres = np.eye(count)[np.repeat(np.arange(count), size)]
    vectors = centres + 0.1 * draw.normal(size=centres.shape)
    return np.asarray(vectors * draw.uniform(0.5, 3, (len(centres), 1)), dtype=np.float32)


def best_medoids(vectors: FloatArray, count: int) -> list[int]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    trials = combinations(range(len(vectors)), count)
    return list(min(trials, key=lambda rows: distances[:, rows].min(axis=1).sum()))


@pytest.mark.parametrize("seed", range(3))
def test_medoids_are_the_best_of_all_choices(seed: int) -> None:
    evidence = random_evidence(30, 2)
    embeddings = np.concatenate([clusters(rng(seed), 3, 5), clusters(rng(seed + 9), 3, 5)])
    groups = np.repeat([0, 1], 15).astype(np.int32)
    evidence = replace(evidence, embeddings=embeddings, groups=groups)
    chosen = selector("demonstrations", "k-medoids:6").choose(evidence, np.arange(30), rng(seed))
    first, second = best_medoids(embeddings[:15], 3), best_medoids(embeddings[15:], 3)
    assert chosen.tolist() == first + [15 + row for row in second]


@pytest.mark.parametrize(("size", "count"), [(200, 1), (200, 7), (500, 40), (130, 129)])
def test_no_single_swap_of_a_medoid_lowers_the_loss(size: int, count: int) -> None:
    draw = rng(size + count)
    vectors = draw.normal(size=(size, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = medoids(vectors, count, rng()).tolist()
    distances = 1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    loss = distances[found].min(axis=0).sum()
    assert len(set(found)) == count
    for medoid in range(count):
        kept = [row for at, row in enumerate(found) if at != medoid]
        near = distances[kept].min(axis=0) if kept else np.full(size, np.inf)
        assert np.minimum(distances, near).sum(axis=1).min() > loss - 1e-4


def test_medoids_of_repeated_texts_are_different_rows() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    for count in (2, 3, 12):
        assert len(set(medoids(vectors, count, rng()).tolist())) == count


def test_a_large_class_is_thinned_before_medoids_are_sought() -> None:
    evidence = random_evidence(4200, 1)
    evidence = replace(evidence, groups=np.zeros(4200, dtype=np.int32))
    chosen = selector("demonstrations", "k-medoids:5").choose(evidence, np.arange(4200), rng())
    assert len(set(chosen.tolist())) == 5


def test_fewer_demonstrations_than_classes() -> None:
    evidence = random_evidence(40, 3)
    trusted = ask("trust", "all", evidence)
    chosen = selector("demonstrations", "k-medoids:2").choose(evidence, trusted, rng())
    assert evidence.groups[chosen].tolist() in ([0, 1], [1, 0])


# --- demonstrations: assign ----------------------------------------------------------


def assigned_by_loop(
    shots: int, embeddings: FloatArray, groups: IntArray, targets: FloatArray, own: IntArray
) -> list[list[int]]:
    """shots/C of each class by cosine, filled up by cosine alone, in class order."""
    classes = sorted(set(groups.tolist()))
    answers = []
    for target, mine in zip(targets.astype(np.float64), own.tolist(), strict=True):
        cosines = [float(e @ target / np.linalg.norm(e) / np.linalg.norm(target))
                   for e in embeddings.astype(np.float64)]  # fmt: skip
        order = sorted(range(len(embeddings)), key=lambda row: -cosines[row])
        order = [row for row in order if row != mine]
        shown: list[int] = []
        for group in classes:
            shown += [row for row in order if groups[row] == group][: shots // len(classes)]
        shown += [row for row in order if row not in shown][: shots - len(shown)]
        answers.append(sorted(shown, key=lambda row: (groups[row], -cosines[row])))
    return answers


def without_padding(nearest: IntArray) -> list[list[int]]:
    rows = nearest.tolist()
    for row in rows:
        stop = row.index(-1) if -1 in row else len(row)
        assert all(value == -1 for value in row[stop:]), "-1 stands at the end only"
    return [[value for value in row if value != -1] for row in rows]


@pytest.mark.parametrize(
    ("shots", "sizes"),
    [
        (10, [50, 50]),  # divides
        (10, [20, 20, 20]),  # remainder 1
        (10, [17, 17, 17, 17, 16, 16]),  # remainder 4: crashes the reference code
        (4, [5, 5, 5, 5, 5, 5]),  # fewer shots than classes
        (10, [2, 30]),  # a class too small for its share
        (10, [30, 0, 30]),  # an empty class
        (10, [4, 3]),  # fewer demonstrations than shots
        (1, [1]),
    ],
    ids=str,
)
def test_assignment_agrees_with_a_loop(shots: int, sizes: list[int]) -> None:
    draw = rng(len(sizes))
    groups = draw.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)
    embeddings = draw.normal(size=(len(groups), 8)).astype(np.float32)
    targets = draw.normal(size=(25, 8)).astype(np.float32)
    own = np.full(25, -1)
    part = selector("demonstrations", "k-medoids", shots)
    found = part.assign(embeddings, groups, targets, own, rng())
    assert found.dtype == np.int32
    assert found.shape == (25, shots)
    expected = assigned_by_loop(shots, embeddings, groups, targets, own)
    assert without_padding(found) == expected


def test_an_example_is_never_its_own_demonstration() -> None:
    draw = rng()
    groups = np.repeat([0, 1, 2], 12).astype(np.int32)
    embeddings = draw.normal(size=(36, 8)).astype(np.float32)
    own = np.arange(36)
    k_medoids = selector("demonstrations", "k-medoids", 9)
    found = k_medoids.assign(embeddings, groups, embeddings, own, rng())
    assert not (found == own[:, None]).any()
    assert without_padding(found) == assigned_by_loop(9, embeddings, groups, embeddings, own)
    shown = [np.bincount(groups[row], minlength=3).tolist() for row in found]
    assert shown == [[3, 3, 3]] * 36


def test_a_small_class_that_loses_the_example_itself_is_made_up_for() -> None:
    draw = rng()
    groups = np.repeat([0, 1], [5, 10]).astype(np.int32)
    embeddings = draw.normal(size=(15, 8)).astype(np.float32)
    own = np.asarray([0, 1, -1])
    arguments = (embeddings, groups, embeddings[:3], own)
    found = selector("demonstrations", "k-medoids", 10).assign(*arguments, rng())
    assert without_padding(found) == assigned_by_loop(10, *arguments)


@pytest.mark.parametrize("kind", ["k-medoids", "random"])
def test_too_few_demonstrations_are_padded_to_the_shots(kind: str) -> None:
    few = rng().normal(size=(3, 4)).astype(np.float32)
    groups, own = np.asarray([0, 0, 1], dtype=np.int32), np.asarray([-1, -1])
    found = selector("demonstrations", kind, 10).assign(few, groups, few[:2], own, rng())
    assert (found.shape, found.dtype) == ((2, 10), np.int32)
    assert [sorted(row) for row in without_padding(found)] == [[0, 1, 2]] * 2


@pytest.mark.parametrize("kind", ["k-medoids", "random"])
def test_where_the_example_itself_is_all_there_is_nothing_is_shown(kind: str) -> None:
    one, group = np.ones((1, 4), dtype=np.float32), np.zeros(1, dtype=np.int32)
    found = selector("demonstrations", kind, 3).assign(one, group, one, np.asarray([0]), rng())
    assert found.tolist() == [[-1, -1, -1]]


def test_medoids_are_assigned_without_chance() -> None:
    draw = rng()
    vectors = draw.normal(size=(20, 4)).astype(np.float32)
    groups, part = np.repeat([0, 1], 10).astype(np.int32), selector("demonstrations", "k-medoids")
    answers = [
        part.assign(vectors, groups, vectors, np.arange(20), rng(seed)).tolist() for seed in (0, 1)
    ]
    assert answers[0] == answers[1]


def test_random_demonstrations_are_never_the_example_itself() -> None:
    draw = rng()
    embeddings = draw.normal(size=(12, 4)).astype(np.float32)
    groups = np.zeros(12, dtype=np.int32)
    own = np.arange(12)
    part = selector("demonstrations", "random", 5)
    found = part.assign(embeddings, groups, embeddings, own, rng())
    assert (found.shape, found.dtype) == ((12, 5), np.int32)
    assert not (found == own[:, None]).any()
    assert all(len(set(row)) == 5 and min(row) >= 0 for row in found.tolist())
    assert len({tuple(row) for row in found.tolist()}) > 6
    three = part.assign(embeddings[:3], groups[:3], embeddings[:3], own[:3], rng())
    assert three.shape == (3, 5)
    assert [len(row) for row in without_padding(three)] == [2, 2, 2]


def test_random_demonstrations_are_drawn_from_the_generator_they_are_given() -> None:
    vectors = rng().normal(size=(12, 4)).astype(np.float32)
    groups, part = np.zeros(12, dtype=np.int32), selector("demonstrations", "random", 5)

    def drawn(generator: np.random.Generator) -> list[list[int]]:
        found = part.assign(vectors, groups, vectors[:6], np.full(6, -1), generator)
        rows: list[list[int]] = found.tolist()
        return rows

    assert drawn(rng(3)) == drawn(rng(3))
    assert drawn(rng(3)) != drawn(rng(4))
    going_on = rng(3)
    assert drawn(going_on) != drawn(going_on)


# --- specs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "spec", "message"),
    [
        ("trust", "small-loss:0", "write a share greater than 0 and at most 1"),
        ("trust", "small-loss:1.5", "write a share"),
        ("trust", "random:nan", "write a share"),
        ("trust", "small-loss:x", "write a share"),
        ("trust", "small-loss,share=1", "no option 'share'"),
        ("trust", "all:0.5", "all takes no argument"),
        ("trust", "mixture:1", "write a probability between 0 and 1"),
        ("trust", "confidence:nan", "write a probability"),
        ("trust", "confident-learning:2", "confident-learning takes no argument"),
        ("demonstrations", "k-medoids,retrieval=nearst", "no retrieval 'nearst'; did you mean"),
        ("demonstrations", "k-means,shots=3", "no option 'shots'"),
        ("query", "entropy:0.1", "entropy takes no argument"),
        ("demonstrations", "k-medoids:0", "write a whole number of at least 1"),
        ("demonstrations", "random:2.5", "write a whole number"),
        ("demonstrations", "k-medoids:-3", "write a whole number"),
        ("query", "random:2", "write a share"),
        ("query", "untrusted:3", "untrusted takes no argument"),
        ("query", "all,x=1", "no option 'x'"),
        ("query", "none:1", "none takes no argument"),
    ],
)
def test_a_wrong_spec_is_refused(role: str, spec: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        selector(role, spec)


@pytest.mark.parametrize("kind", ["k-medoids", "random"])
def test_answers_do_not_depend_on_how_many_targets_are_held_in_memory(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = random_evidence(100, 3)
    shown = np.flatnonzero(evidence.groups >= 0)[:30]
    own = np.full(100, -1, dtype=np.int64)
    own[shown] = np.arange(30)

    def assigned() -> IntArray:
        answer: IntArray = selector("demonstrations", kind, 5).assign(
            evidence.embeddings[shown], evidence.groups[shown], evidence.embeddings, own, rng()
        )
        return answer

    whole = assigned()
    monkeypatch.setattr(retrieval, "CHUNK", 7)
    assert np.array_equal(assigned(), whole)
