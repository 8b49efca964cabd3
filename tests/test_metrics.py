"""Scores: accuracy with abstentions; entity F1 against seqeval and against sets of spans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

from harness.data import ABSTAINED, TaskCard
from harness.metrics import LabelScore, right_examples, score
from tests.factories import gold_of, random_iob2, sequence_card, token_card

ABC = sequence_card("a", "b", "c")
NER = token_card("PER", "LOC")
Sentences = list[list[int]]


def drawn(seed: int, types: int) -> tuple[Sentences, Sentences]:
    """Gold and said sentences of the same lengths; half of the said ones are right."""
    rng = np.random.default_rng(seed)
    gold = [random_iob2(rng, int(rng.integers(1, 9)), types) for _ in range(30)]
    said = [s if rng.random() < 0.5 else random_iob2(rng, len(s), types) for s in gold]
    return gold, said


def strict_f1(gold: Sentences, said: Sentences, task: TaskCard) -> float:
    names = [[[task.classes[tag] for tag in s] for s in side] for side in (gold, said)]
    return float(f1_score(*names, mode="strict", scheme=IOB2, zero_division=0))


def spans(sentences: Sentences, kind: int) -> set[tuple[int, int, int]]:
    """Sentence, begin and end of each mention of a type in valid IOB2."""
    found = set()
    for number, tags in enumerate(sentences):
        for begin, tag in enumerate(tags):
            if tag == 1 + 2 * kind:
                end = begin + 1
                while end < len(tags) and tags[end] == tag + 1:
                    end += 1
                found.add((number, begin, end))
    return found


def flat(sentences: Sentences) -> list[int]:
    return [tag for sentence in sentences for tag in sentence]


def lengths(sentences: Sentences) -> Sequence[int]:
    return [len(sentence) for sentence in sentences]


def test_accuracy_counts_abstentions_in_three_ways() -> None:
    gold = gold_of([0, 0, 1, 1, 2, 2])
    found = score(np.asarray([0, 1, 1, ABSTAINED, 2, ABSTAINED]), gold, ABC)
    assert found.score == pytest.approx(3 / 6)
    assert found.answered == pytest.approx(3 / 4)
    assert found.random_label == pytest.approx((3 + 2 / 3) / 6)


def test_accuracy_by_label_counts_abstentions_as_missed() -> None:
    gold = gold_of([0, 0, 1, 1, 2, 2])
    found = score(np.asarray([0, 1, 1, ABSTAINED, 0, ABSTAINED]), gold, ABC)
    assert list(found.per_label) == ["a", "b", "c"]
    assert found.per_label["a"] == LabelScore(0.5, 0.5, 0.5, 2)
    assert found.per_label["b"] == LabelScore(0.5, 0.5, 0.5, 2)
    assert found.per_label["c"] == LabelScore(0.0, 0.0, 0.0, 2)


def test_accuracy_where_nothing_was_answered() -> None:
    found = score(np.full(4, ABSTAINED), gold_of([0, 1, 2, 0]), ABC)
    assert (found.score, found.answered) == (0.0, None)
    assert found.random_label == pytest.approx(1 / 3)


def test_accuracy_where_everything_was_answered() -> None:
    found = score(np.asarray([0, 1, 1, 0]), gold_of([0, 1, 2, 0]), ABC)
    assert found.score == found.answered == found.random_label == 0.75


def test_the_measured_gpt35_labels_of_mr() -> None:
    # The reference implementation's records: 384 without an answer, 93.72 % of the rest right.
    gold = np.zeros(8662, dtype=np.int32)
    labels = np.repeat([0, 1, ABSTAINED], [7758, 520, 384])
    found = score(labels, gold_of(gold), sequence_card("negative", "positive"))
    assert found.score == pytest.approx(0.8956, abs=5e-5)
    assert found.answered == pytest.approx(0.9372, abs=5e-5)
    assert found.random_label == pytest.approx(0.9178, abs=5e-5)


@pytest.mark.parametrize("seed", range(12))
def test_entity_f1_is_strict_iob2_micro_f1(seed: int) -> None:
    task = NER if seed % 2 else token_card("Chemical")
    gold, said = drawn(seed, len(task.labels))
    found = score(np.asarray(flat(said)), gold_of(flat(gold), lengths(gold)), task)
    assert found.score == pytest.approx(strict_f1(gold, said, task), abs=1e-12)
    assert 0 < found.score < 1
    assert (found.answered, found.random_label) == (found.score, None)


@pytest.mark.parametrize("seed", range(6))
def test_entity_scores_by_type_agree_with_sets_of_spans(seed: int) -> None:
    gold, said = drawn(seed, 2)
    found = score(np.asarray(flat(said)), gold_of(flat(gold), lengths(gold)), NER)
    for kind, label in enumerate(NER.labels):
        true, named = spans(gold, kind), spans(said, kind)
        hits, one = len(true & named), found.per_label[label.name]
        assert one.precision == pytest.approx(hits / len(named))
        assert one.recall == pytest.approx(hits / len(true))
        assert one.f1 == pytest.approx(2 * hits / (len(true) + len(named)))
        assert one.support == len(true)


@pytest.mark.parametrize("seed", range(6))
def test_a_sentence_without_an_answer_misses_its_entities(seed: int) -> None:
    gold, said = drawn(seed, 2)
    silent = set(np.random.default_rng(seed).choice(30, 8, replace=False).tolist())
    rows = [row for row in range(30) if row not in silent]
    labels = [[ABSTAINED] * len(s) if i in silent else s for i, s in enumerate(said)]
    found = score(np.asarray(flat(labels)), gold_of(flat(gold), lengths(gold)), NER)
    outside = [[0] * len(s) if i in silent else s for i, s in enumerate(said)]
    assert found.score == pytest.approx(strict_f1(gold, outside, NER))
    only = strict_f1([gold[r] for r in rows], [said[r] for r in rows], NER)
    assert found.answered == pytest.approx(only)
    assert found.answered != found.score


def test_entity_f1_where_nothing_was_answered_or_there_is_nothing_to_find() -> None:
    gold = gold_of([1, 2, 0], [2, 1])
    silent = score(np.full(3, ABSTAINED), gold, NER)
    assert (silent.score, silent.answered) == (0.0, None)
    assert silent.per_label == {
        "PER": LabelScore(0.0, 0.0, 0.0, 1),
        "LOC": LabelScore(0.0, 0.0, 0.0, 0),
    }
    empty = score(np.zeros(3, dtype=np.int32), gold_of([0, 0, 0], [2, 1]), NER)
    assert empty.score == 0.0


def test_a_mention_with_a_wrong_boundary_or_type_is_wrong() -> None:
    gold = gold_of([1, 2, 0, 3], [4])
    assert score(np.asarray([1, 0, 0, 3]), gold, NER).score == pytest.approx(0.5)
    assert score(np.asarray([3, 4, 0, 3]), gold, NER).score == pytest.approx(0.5)
    assert score(np.asarray([1, 2, 0, 3]), gold, NER).score == 1.0


@pytest.mark.parametrize("said", [[2, 2, 1, 0], [1, 4, 0, 3], [1, 2, 3, 2]])
def test_tags_that_break_iob2_are_scored(said: list[int]) -> None:
    gold = [[1, 2, 0, 3]]
    found = score(np.asarray(said), gold_of(flat(gold), [4]), NER)
    assert found.score == pytest.approx(strict_f1(gold, [said], NER))


@pytest.mark.parametrize("said", [[1, 2, 0, 4], [0, 4, 4, 0]])
def test_tags_that_break_iob2_name_no_entity(said: list[int]) -> None:
    gold = [[1, 2, 0, 0]]
    found = score(np.asarray(said), gold_of(flat(gold), [4]), NER)
    assert found.score == pytest.approx(strict_f1(gold, [said], NER))


def test_examples_are_right_where_every_unit_is() -> None:
    gold = gold_of([1, 2, 0, 3, 0, 0], [3, 1, 2])
    assert right_examples(np.asarray([1, 2, 0, 0, 0, 0]), gold).tolist() == [True, False, True]
    silent = right_examples(np.full(6, ABSTAINED), gold)
    assert silent.tolist() == [False, False, False]


def test_other_lengths_and_empty_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="2 labels for 3 gold labels"):
        score(np.zeros(2, dtype=np.int32), gold_of([0, 1, 2]), ABC)
    with pytest.raises(ValueError, match="cannot score an empty set"):
        score(np.zeros(0, dtype=np.int32), gold_of([]), ABC)
