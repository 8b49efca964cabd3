"""Tokens whose label other occurrences of the same words contradict."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter

import numpy as np
import pytest

from harness.data import Pool, offsets_of
from harness.iob2 import spans_of
from harness_plugins.students.noise.agreement import contradicted
from tests.factories import random_iob2

O, B, I, B2 = 0, 1, 2, 3  # noqa: E741 - the names of the tags


def pool_of(sentences: Sequence[Sequence[str]]) -> Pool:
    ids = [f"train:{row}" for row in range(len(sentences))]
    return Pool("token", "train", ids, [tuple(one) for one in sentences])


def doubted(*sentences: tuple[str, Sequence[int]]) -> list[list[bool]]:
    pool = pool_of([words.split() for words, _ in sentences])
    labels = np.concatenate([tags for _, tags in sentences]).astype(np.int64)
    found = contradicted(pool, labels)
    ends = pool.offsets.tolist()
    return [found[a:b].tolist() for a, b in pairwise(ends)]


def test_one_mention_elsewhere_is_enough_to_doubt_an_occurrence_outside() -> None:
    found = doubted(("acute Renal failure came", [O, B, I, O]), ("a renal failure", [O, O, O]))
    assert found == [[False] * 4, [False, True, True]]


def test_one_occurrence_outside_is_not_enough_to_doubt_a_mention() -> None:
    found = doubted(("fever rose", [B, O]), ("no fever", [O, O]))
    assert found == [[False, False], [False, True]]


def test_a_mention_that_is_outside_elsewhere() -> None:
    found = doubted(("the rat", [B, O]), ("the", [O]), ("the dog", [O, O]))
    assert found == [[True, False], [False], [False, False]]


def test_a_mention_that_has_another_type_elsewhere() -> None:
    found = doubted(("Rome", [B2]), ("Rome", [B]), ("Rome won", [B, O]), ("in Rome", [O, B]))
    assert found == [[True], [False], [False, False], [False, False]]


def test_words_within_a_longer_mention_say_nothing() -> None:
    found = doubted(*[("febrile seizures", [B, I])] * 5, ("seizures", [B]))
    assert not any(map(any, found))


def test_words_across_the_edge_of_a_mention_say_nothing() -> None:
    found = doubted(("New York", [B, I]), ("New York", [O, B]))
    assert found == [[False, False], [False, False]]


def test_abstentions_say_nothing_and_are_not_doubted() -> None:
    found = doubted(("fever", [B]), ("fever", [-1]), ("fever", [-1]))
    assert found == [[False]] * 3


def test_who_always_says_the_same_is_not_doubted() -> None:
    found = doubted(*[("the flu", [B, O])] * 4, *[("a cold", [O, O])] * 4)
    assert not any(map(any, found))


def test_long_mentions_take_no_time() -> None:
    pool = pool_of([["-"] * 3000, ["-"] * 6000])
    labels = np.zeros(9000, dtype=np.int64)
    labels[:3000] = [B] + [I] * 2999
    began = perf_counter()
    assert not contradicted(pool, labels).any()
    assert perf_counter() - began < 5


@pytest.mark.parametrize("seed", range(20))
def test_as_counted_occurrence_by_occurrence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, 40)
    sentences = [tuple(rng.choice(list("aAbc"), length)) for length in lengths]
    tags = [random_iob2(rng, int(length), 2) for length in lengths]
    labels = np.concatenate([[-1] * len(one) if rng.random() < 0.1 else one for one in tags])
    found = contradicted(pool_of(sentences), labels)
    assert found.any()
    assert np.array_equal(found, slowly(sentences, labels))


def slowly(sentences: Sequence[tuple[str, ...]], labels: np.ndarray) -> np.ndarray:
    """The rule, transcribed: every occurrence against every other one."""
    occurrences = []  # first unit, words, verdict: -1 outside, else the type
    for first, tokens in zip(offsets_of([len(one) for one in sentences]), sentences, strict=False):
        tags = labels[first : first + len(tokens)]
        lower = [token.lower() for token in tokens]
        spans = {(begin, end): kind for begin, end, kind in spans_of(tags.tolist())}
        for begin in range(len(tokens)):
            for end in range(begin + 1, len(tokens) + 1):
                kind = spans.get((begin, end), -1)
                if kind >= 0 or not tags[begin:end].any():
                    occurrences.append((first + begin, tuple(lower[begin:end]), kind))
    doubt = np.zeros(len(labels), dtype=bool)
    for at, (first, words, kind) in enumerate(occurrences):
        others = [
            one[2] for place, one in enumerate(occurrences) if place != at and one[1] == words
        ]
        named = [other for other in others if other >= 0]
        if kind < 0:
            wrong = bool(named) and 2 * len(named) > len(others)
        else:
            wrong = len(others) >= 2 and 3 * others.count(kind) < len(others)
        if wrong:
            doubt[first : first + len(words)] = True
    return doubt
