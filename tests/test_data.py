"""Values: nobody can write them, and taking and merging rows agrees with a plain loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from harness.data import (
    ABSTAINED,
    Annotations,
    Demonstrations,
    IntArray,
    Selection,
    StudentView,
    merge,
    offsets_of,
    take_units,
)
from harness.identity import example_ids
from tests.factories import gold_of, sequence_card, text_pool, token_card, token_pool

LENGTHS = [3, 1, 4, 2, 5]
ROWS = [[0, 1, 2, 3, 4], [4, 0], [2, 2, 2], [3], []]


def ragged(values: IntArray, offsets: IntArray) -> list[list[int]]:
    return [values[a:b].tolist() for a, b in pairwise(offsets.tolist())]


def numbered(lengths: Sequence[int], first: int = 0) -> Annotations:
    """Annotations of which every number is another, from ``first`` on."""
    n = len(lengths)
    column = np.arange(first, first + n)
    return Annotations(
        labels=np.arange(first, first + sum(lengths), dtype=np.int32),
        offsets=offsets_of(lengths),
        confidence=(column / 1000).astype(np.float32),
        reasons=tuple(f"reason {i}" for i in column),
        replies=tuple(f"reply {i}" for i in column),
        requests=column + 100,
        tokens=column + 200,
        cost_usd=column + 0.5,
        candidates=tuple((int(i), int(i) + 1) for i in column),
    )


def view(n: int) -> StudentView:
    rng = np.random.default_rng(0)
    log = np.log(rng.dirichlet(np.ones(3), n)).astype(np.float32)
    return StudentView(log, log.argmax(1).astype(np.int32), np.zeros((n, 2)), np.arange(n + 1))


def values_with_arrays() -> list[tuple[Any, str]]:
    some = np.zeros(2, dtype=np.int32)
    shown = Demonstrations(text_pool(["a", "b"]), some, np.zeros((1, 2), dtype=np.int32), "trusted")
    said = ["labels", "offsets", "confidence", "requests", "tokens", "cost_usd"]
    seen = ["log_probabilities", "predictions", "embeddings", "offsets"]
    roles = ["trusted", "demonstrations", "requested"]
    pairs: list[tuple[Any, str]] = [(numbered([2, 1]), name) for name in said]
    pairs += [(gold_of([0, 1]), name) for name in ("labels", "offsets")]
    pairs += [(view(2), n) for n in seen]
    pairs += [(Selection(some, some, some), n) for n in roles]
    pairs += [(shown, "labels"), (shown, "nearest"), (text_pool(["a"]), "offsets")]
    pairs += [(token_pool(["a b"]), "offsets")]
    return pairs


@pytest.mark.parametrize(("value", "name"), values_with_arrays())
def test_no_array_can_be_written(value: object, name: str) -> None:
    array = getattr(value, name)
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, array)


def test_writing_the_original_array_changes_nothing() -> None:
    mine = np.asarray([0, 1, 2], dtype=np.int32)
    gold = gold_of(mine)
    said = Annotations.of(mine, np.arange(4))
    mine[:] = 9
    assert gold.labels.tolist() == said.labels.tolist() == [0, 1, 2]


def test_a_sequence_pool() -> None:
    pool = text_pool(["one", "two words"], split="test")
    assert (len(pool), pool.ids) == (2, example_ids("test", list(pool.texts)))
    assert list(pool.texts) == ["one", "two words"]
    assert pool.offsets.tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="texts, not tokens"):
        _ = pool.tokens


def test_a_token_pool() -> None:
    pool = token_pool(["Ann met Bob", "Hello"])
    assert list(pool.tokens) == [("Ann", "met", "Bob"), ("Hello",)]
    assert list(pool.texts) == ["Ann met Bob", "Hello"]
    assert pool.offsets.tolist() == [0, 3, 4]


@pytest.mark.parametrize("make", [text_pool, token_pool])
def test_taking_rows_of_a_pool(make: Any) -> None:
    pool = make(["a b", "c", "d e f"])
    taken = pool.take(np.asarray([2, 0, 2]))
    assert taken.ids == (pool.ids[2], pool.ids[0], pool.ids[2]) and len(set(pool.ids)) == 3
    assert list(taken.texts) == ["d e f", "a b", "d e f"]
    assert np.diff(taken.offsets).tolist() == ([1, 1, 1] if make is text_pool else [3, 2, 3])
    assert (taken.split, taken.kind) == ("train", make(["a"]).kind)
    assert len(taken.take(np.zeros(0, dtype=np.int64))) == 0


def test_a_pool_needs_an_id_for_each_example() -> None:
    with pytest.raises(ValueError, match="1 ids for 2 examples"):
        type(text_pool(["a"]))(kind="sequence", split="train", ids=("a",), examples=("x", "y"))


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_taking_units_agrees_with_a_loop(rows: list[int]) -> None:
    for lengths in (LENGTHS, [1] * 5, [2, 0, 3, 0, 1]):
        values, offsets = np.arange(10, 10 + sum(lengths)), offsets_of(lengths)
        taken, their_offsets = take_units(values, offsets, np.asarray(rows, dtype=np.int64))
        whole = ragged(values, offsets)
        assert ragged(taken, their_offsets) == [whole[row] for row in rows]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_taking_annotations_takes_every_column(rows: list[int]) -> None:
    base = numbered(LENGTHS)
    taken = base.take(np.asarray(rows, dtype=np.int64))
    whole = ragged(base.labels, base.offsets)
    assert len(taken) == len(rows)
    assert ragged(taken.labels, taken.offsets) == [whole[row] for row in rows]
    for name in ("confidence", "reasons", "replies", "requests", "tokens", "cost_usd"):
        column = getattr(base, name)
        assert list(getattr(taken, name)) == [column[row] for row in rows], name


def test_taking_gold() -> None:
    taken = gold_of(range(15), LENGTHS).take(np.asarray([2, 1]))
    assert ragged(taken.labels, taken.offsets) == [[4, 5, 6, 7], [3]]
    assert (len(taken), taken.split) == (2, "train")


@pytest.mark.parametrize("rows", [[4, 0, 2], [1], []], ids=str)
def test_merging_agrees_with_a_loop(rows: list[int]) -> None:
    base = numbered(LENGTHS)
    new = numbered([LENGTHS[row] for row in rows], first=500)
    merged = merge(base, np.asarray(rows, dtype=np.int64), new)
    expected = ragged(base.labels, base.offsets)
    for row, labels in zip(rows, ragged(new.labels, new.offsets), strict=True):
        expected[row] = labels
    assert ragged(merged.labels, merged.offsets) == expected
    for name in ("confidence", "reasons", "replies", "requests", "tokens", "cost_usd"):
        column = list(getattr(base, name))
        for position, row in enumerate(rows):
            column[row] = getattr(new, name)[position]
        assert list(getattr(merged, name)) == column, name
    assert ragged(base.labels, base.offsets) == ragged(np.arange(15), base.offsets)


def test_annotations_that_cost_nothing() -> None:
    said = Annotations.of(np.asarray([1, 2, ABSTAINED, 0]), np.asarray([0, 2, 3, 4]))
    assert said.answered.tolist() == [True, False, True]
    assert np.isnan(said.confidence).all()
    assert said.reasons == said.replies == ("", "", "")
    assert (said.requests.sum(), said.tokens.sum(), said.cost_usd.sum()) == (0, 0, 0)
    dtypes = [said.labels, said.offsets, said.confidence, said.requests, said.cost_usd]
    assert [str(a.dtype) for a in dtypes] == ["int32", "int64", "float32", "int64", "float64"]


def test_annotations_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="columns of annotations differ from their 2 examples"):
        Annotations.of(np.zeros(2, np.int32), np.arange(3), reasons=["only one"])
    with pytest.raises(ValueError, match="3 labels for 2 units"):
        Annotations.of(np.zeros(3, np.int32), np.arange(3))


def test_a_view_of_other_lengths_is_refused() -> None:
    good = view(3)
    with pytest.raises(ValueError, match="differ in length"):
        StudentView(good.log_probabilities, np.zeros(2, np.int32), good.embeddings, good.offsets)
    with pytest.raises(ValueError, match="2 embeddings for 3 examples"):
        StudentView(good.log_probabilities, np.zeros(3, np.int32), np.zeros((2, 2)), good.offsets)


def test_losses_are_cross_entropies_and_unknown_for_abstentions() -> None:
    seen = view(4)
    labels = np.asarray([2, ABSTAINED, 0, 1])
    losses = seen.losses(Annotations.of(labels, np.arange(5)))
    expected = [-np.log(seen.probabilities[i, k]) for i, k in enumerate(labels)]
    assert np.isnan(losses[1])
    np.testing.assert_allclose(losses[[0, 2, 3]], np.asarray(expected)[[0, 2, 3]], rtol=1e-5)
    np.testing.assert_allclose(seen.probabilities.sum(axis=1), 1, rtol=1e-6)


def test_class_names_are_labels_or_iob2_tags() -> None:
    assert sequence_card("pos", "neg").classes == ("pos", "neg")
    assert token_card("PER", "LOC").classes == ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
