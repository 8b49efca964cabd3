"""Scores of labels against gold: accuracy, and strict IOB2 entity micro-F1.

Abstentions count as wrong (``score``). Two more figures count them as the paper does: the
score of the answered examples alone (``answered``), and the expected score with a random
label for each abstention (``random_label``; FreeAL, section 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.data import ABSTAINED, OUTSIDE, BoolArray, Gold, IntArray, TaskCard

SCORE_NAMES = {"accuracy": "accuracy", "entity_f1": "entity F1"}
"""Metrics as people call them."""


@dataclass(frozen=True, slots=True)
class LabelScore:
    """Precision, recall and F1 of one label or entity type, each in [0, 1]."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Score:
    """How good the labels of a set of examples are.

    Attributes:
        score: the task's metric over all examples, abstentions wrong; in [0, 1].
        answered: the metric over the answered examples; None if there are none.
        random_label: expected accuracy if each abstention were a label drawn uniformly;
            None in token tasks, where no such convention exists.
        per_label: by label or entity type, abstentions wrong.
    """

    score: float
    answered: float | None
    random_label: float | None
    per_label: Mapping[str, LabelScore]
    n: int | None = None
    interval: tuple[float, float] | None = None


def score(labels: IntArray, gold: Gold, task: TaskCard) -> Score:
    """Score labels (int ``[units]``, ``ABSTAINED`` where there is none) against gold.

    A ``ValueError`` if the two differ in length, are empty, or an example has no gold.
    """
    if len(labels) != len(gold.labels):
        raise ValueError(f"{len(labels)} labels for {len(gold.labels)} gold labels")
    if len(gold) == 0:
        raise ValueError("cannot score an empty set")
    if not gold.known.all():
        raise ValueError("cannot score examples without gold")
    if task.metric == "accuracy":
        return _accuracy(labels, gold, task)
    return _entity_f1(labels, gold, task)


def right_examples(labels: IntArray, gold: Gold) -> BoolArray:
    """bool ``[n]``: True where every unit of the example is right, and its gold is known."""
    wrong = (labels != gold.labels).astype(np.int64)
    return np.asarray(np.add.reduceat(wrong, gold.offsets[:-1]) == 0) & gold.known


def _accuracy(labels: IntArray, gold: Gold, task: TaskCard) -> Score:
    right = labels == gold.labels
    answered = labels != ABSTAINED
    n, n_answered = len(labels), int(answered.sum())
    expected = (float(right.sum()) + (n - n_answered) / len(task.classes)) / n
    return Score(
        score=float(right.mean()),
        answered=float(right.sum()) / n_answered if n_answered else None,
        random_label=expected,
        per_label={
            name: _label_score(labels == index, gold.labels == index)
            for index, name in enumerate(task.classes)
        },
    )


def _label_score(predicted: BoolArray, true: BoolArray) -> LabelScore:
    hits, n_predicted, n_true = int((predicted & true).sum()), int(predicted.sum()), int(true.sum())
    return LabelScore(
        precision=hits / n_predicted if n_predicted else 0.0,
        recall=hits / n_true if n_true else 0.0,
        f1=2 * hits / (n_predicted + n_true) if n_predicted + n_true else 0.0,
        support=n_true,
    )


def _entity_f1(labels: IntArray, gold: Gold, task: TaskCard) -> Score:
    answered_rows = np.flatnonzero(labels[gold.offsets[:-1]] != ABSTAINED)
    # A sentence without an answer names no entity: each of its gold entities is missed.
    predicted = _tags(np.where(labels == ABSTAINED, OUTSIDE, labels), gold.offsets, task)
    true = _tags(gold.labels, gold.offsets, task)
    overall, per_label = _seqeval(true, predicted, task)
    answered = None
    if len(answered_rows) == len(gold):
        answered = overall
    elif len(answered_rows):
        rows = [int(row) for row in answered_rows]
        answered, _ = _seqeval([true[r] for r in rows], [predicted[r] for r in rows], task)
    return Score(score=overall, answered=answered, random_label=None, per_label=per_label)


def _tags(labels: IntArray, offsets: IntArray, task: TaskCard) -> list[list[str]]:
    names = np.asarray(task.classes, dtype=object)[labels]
    return [list(names[a:b]) for a, b in pairwise(offsets.tolist())]


def _seqeval(
    true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], task: TaskCard
) -> tuple[float, dict[str, LabelScore]]:
    from seqeval.metrics.v1 import precision_recall_fscore_support
    from seqeval.scheme import IOB2, Entities

    # Strict and with a scheme: without one, seqeval silently falls back to its lenient mode.
    # Each side is parsed once: that takes most of the time.
    parsed = {"entities_true": Entities(true, IOB2), "entities_pred": Entities(predicted, IOB2)}
    arguments = {"scheme": IOB2, "zero_division": 0, **parsed}
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, average=None, **arguments
    )
    # The rows of the answer are the types of *valid* mentions, in alphabetical order.
    found = set().union(*(side.unique_tags for side in parsed.values()))
    by_name = {
        name: LabelScore(float(p), float(r), float(f), int(s))
        for name, p, r, f, s in zip(sorted(found), precision, recall, f1, support, strict=True)
    }
    if not found:
        return 0.0, {label.name: LabelScore(0.0, 0.0, 0.0, 0) for label in task.labels}
    *_, micro, _ = precision_recall_fscore_support(true, predicted, average="micro", **arguments)
    none = LabelScore(0.0, 0.0, 0.0, 0)
    return float(micro), {label.name: by_name.get(label.name, none) for label in task.labels}
