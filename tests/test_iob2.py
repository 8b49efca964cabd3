"""The IOB2 rule against a plain loop, in words and in class indices."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from harness import iob2
from harness.data import ABSTAINED, Gold, Pool, TaskCard, offsets_of
from harness.errors import DataError
from harness.run.splits import load_splits
from tests.factories import random_iob2, token_card, valid_iob2

CLASSES = token_card("PER", "LOC", "ORG").classes


@pytest.mark.parametrize("seed", range(6))
def test_random_tags_are_judged_as_by_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        lengths = rng.integers(0, 5, 4)
        offsets = offsets_of(lengths.tolist())
        labels = rng.choice([0, 1, 2, 3, 4], offsets[-1], p=[0.3, 0.35, 0.15, 0.15, 0.05])
        sentences = [labels[a:b].tolist() for a, b in pairwise(offsets.tolist())]
        unit = iob2.first_invalid(labels.astype(np.int32), offsets)
        valid = [valid_iob2(tags) for tags in sentences]
        assert (unit is None) == all(valid)
        if unit is not None:
            row = valid.index(False)
            position = unit - int(offsets[row])
            assert valid_iob2(sentences[row][:position])
            assert not valid_iob2(sentences[row][: position + 1])
        for tags, good in zip(sentences, valid, strict=True):
            assert (iob2.fault([CLASSES[tag] for tag in tags]) is None) == good


def test_tags_that_are_valid_by_construction_are_valid() -> None:
    rng = np.random.default_rng(0)
    sentences = [random_iob2(rng, length, 3) for length in (0, 1, 5, 30, 0, 9)]
    offsets = offsets_of([len(tags) for tags in sentences])
    labels = np.asarray([tag for tags in sentences for tag in tags], dtype=np.int32)
    assert iob2.first_invalid(labels, offsets) is None


@pytest.mark.parametrize(
    ("labels", "lengths", "unit"),
    [
        ([2], [1], 0),
        ([1, 2], [1, 1], 1),  # a mention does not go on in the next sentence
        ([1, 2], [1, 0, 1], 1),
        ([1, 4], [2], 1),
        ([1, 2, 4], [3], 2),
        ([3, 0, 4], [3], 2),
        ([ABSTAINED, 2], [2], 1),
        ([ABSTAINED, ABSTAINED, 1, 2], [2, 2], None),
        ([], [0], None),
    ],
)
def test_the_first_wrong_unit_is_found(
    labels: list[int], lengths: list[int], unit: int | None
) -> None:
    found = iob2.first_invalid(np.asarray(labels, dtype=np.int32), offsets_of(lengths))
    assert found == unit


@pytest.mark.parametrize(
    ("tags", "parts"),
    [
        (["I-PER"], ("tag 1 is I-PER after O", "begins with B-PER")),
        (["B-PER", "I-LOC"], ("tag 2 is I-LOC after B-PER", "begins with B-LOC")),
        (["B-LOC", "I-LOC", "O", "I-LOC"], ("tag 4 is I-LOC after O", "begins with B-LOC")),
    ],
)
def test_what_is_wrong_is_said_in_words(tags: list[str], parts: tuple[str, ...]) -> None:
    said = iob2.fault(tags)
    assert said is not None
    assert all(part in said for part in parts), said


@pytest.mark.parametrize("seed", range(6))
def test_mentions_become_tags_and_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tags = random_iob2(rng, int(rng.integers(0, 12)), 3)
    spans = iob2.spans_of(tags)
    assert sum(end - begin for begin, end, _ in spans) == np.count_nonzero(tags)
    assert list(iob2.tags_of(spans, len(tags))) == tags


def test_an_abstention_has_no_mentions() -> None:
    assert iob2.spans_of([ABSTAINED] * 3) == []


class PluginTask:
    """A task whose gold tags nobody has read from a file."""

    card: TaskCard = token_card("PER")

    def __init__(self, tags: list[int]) -> None:
        self._tags = np.asarray(tags, dtype=np.int32)

    def load(self, split: str) -> Pool:
        return Pool("token", split, ("one", "two"), [("Ada", "Lovelace"), ("wrote",)])

    def gold(self, split: str) -> Gold:
        return Gold(split, self._tags, offsets_of([2, 1]))


def test_gold_tags_of_a_plugins_task_must_be_iob2() -> None:
    assert (
        len(load_splits(PluginTask([1, 2, 0]), inductive=False, limit=None, seed=0).train.pool) == 2
    )
    with pytest.raises(DataError, match="the gold tags of two in its train split are not IOB2"):
        load_splits(PluginTask([1, 2, 2]), inductive=False, limit=None, seed=0)
