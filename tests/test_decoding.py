"""Viterbi decoding against every valid sequence."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from harness.data import FloatArray, offsets_of
from harness_plugins.students.encoder.decoding import decode_iob2
from tests.factories import valid_iob2


def best_by_trial(scores: FloatArray) -> list[int]:
    """The valid sequence with the largest sum, all of them tried."""
    length, classes = scores.shape
    valid = [tags for tags in product(range(classes), repeat=length) if valid_iob2(tags)]
    sums = [sum(scores[i, tag] for i, tag in enumerate(tags)) for tags in valid]
    return list(valid[int(np.argmax(sums))])


def drawn(rng: np.random.Generator, units: int, classes: int, spread: float) -> FloatArray:
    logits = spread * rng.normal(size=(units, classes))
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), dtype=np.float32)


@pytest.mark.parametrize("classes", [3, 5])
@pytest.mark.parametrize("spread", [0.3, 3.0, 30.0])
def test_decoding_finds_the_best_valid_sequence(classes: int, spread: float) -> None:
    rng = np.random.default_rng(classes)
    lengths = [1, 4, 2, 5, 3, 5, 1, 4, 5, 3]  # several of a length, in no order
    offsets = offsets_of(lengths)
    scores = drawn(rng, sum(lengths), classes, spread)
    found = decode_iob2(scores, offsets)
    assert found.dtype == np.int32
    for begin, end in pairwise(offsets.tolist()):
        sentence = scores[begin:end].astype(np.float64)
        assert found[begin:end].tolist() == best_by_trial(sentence)


def test_decoding_corrects_what_the_single_tokens_would_say() -> None:
    # Alone, each token says I-; the sentence must begin with B-.
    scores = np.log(np.asarray([[0.1, 0.3, 0.6], [0.1, 0.2, 0.7]]))
    assert decode_iob2(scores, np.asarray([0, 2])).tolist() == [1, 2]
    # A mention does not go on with another type.
    scores = np.log(np.asarray([[0.05, 0.8, 0.05, 0.05, 0.05], [0.1, 0.05, 0.3, 0.05, 0.5]]))
    assert decode_iob2(scores, np.asarray([0, 2])).tolist() == [1, 2]


def test_each_sentence_is_decoded_alone() -> None:
    scores = drawn(np.random.default_rng(7), 12, 5, 2.0)
    together = decode_iob2(scores, np.asarray([0, 4, 8, 12]))
    alone = [decode_iob2(scores[a : a + 4], np.asarray([0, 4])) for a in (0, 4, 8)]
    assert together.tolist() == np.concatenate(alone).tolist()


def test_long_sentences_stay_valid() -> None:
    for seed in range(5):
        scores = drawn(np.random.default_rng(seed), 200, 9, 5.0)
        assert valid_iob2(decode_iob2(scores, np.asarray([0, 200])).tolist())


def test_a_probability_of_zero_never_makes_a_sequence_invalid() -> None:
    scores = np.asarray([[-np.inf, -np.inf, 0.0]])
    assert decode_iob2(scores, np.asarray([0, 1])).tolist() != [2]
