"""The contracts of annotators."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness import abilities
from harness.data import ABSTAINED, Annotations, Gold
from harness.identity import digest
from harness.protocols import no_progress
from harness.run.contracts import check_annotations
from harness.testing.contracts.calling import asked, refuse
from harness.testing.contracts.subject import Subject, skip


def it_says_whether_it_needs_gold(subject: Subject) -> None:
    """``needs_gold`` is True or False."""
    needs = subject.made().needs_gold
    refuse(
        None if needs in (True, False) else f"needs_gold is {needs!r}; True or False is expected",
        subject.made(),
    )


def it_labels_every_example(subject: Subject) -> None:
    """Zero-shot, with demonstrations, and of a single row: class indices of the pool's units."""
    for count, shown in (
        (len(subject.tiny.pool), False),
        (len(subject.tiny.pool), True),
        (1, True),
    ):
        said = _said(subject, count, shown=shown)
        subject.checked(check_annotations, said, subject.tiny.rows(count).pool, subject.tiny.card)


def its_columns_have_the_right_types(subject: Subject) -> None:
    """int32 labels, float32 confidence in [0, 1]."""
    said = _said(subject, len(subject.tiny.pool))
    for name, kind in (("labels", np.int32), ("offsets", np.int64), ("confidence", np.float32)):
        column = getattr(said, name)
        wrong = f"{name} are {column.dtype}; {np.dtype(kind)} is expected (Annotations.of converts)"
        refuse(None if column.dtype == kind else wrong, subject.made().annotate)
    known = said.confidence[~np.isnan(said.confidence)]
    outside = bool(((known < 0) | (known > 1)).any())
    refuse("confidence lies outside of [0, 1]" if outside else None, subject.made().annotate)


def it_says_why_it_abstained(subject: Subject) -> None:
    """A reason for each example without a label, and for no other."""
    said = _said(subject, len(subject.tiny.pool))
    for row, answered in enumerate(said.answered.tolist()):
        if answered == bool(said.reasons[row]):
            wrong = "answered, with a reason why not" if answered else "abstained without a reason"
            refuse(f"it {wrong} (row {row}); reasons say why it abstained", subject.made().annotate)


def the_same_seed_gives_the_same_answers(subject: Subject) -> None:
    """Made twice and asked twice."""
    count = len(subject.tiny.pool)
    answers = {digest(_said(subject, count, again=True).labels) for _ in range(2)}
    answers.add(digest(_said(subject, count).labels))
    wrong = "the same pool and seed gave other labels; draw from request.seed alone"
    refuse(wrong if len(answers) > 1 else None, subject.made().annotate)


CONTRACTS = (
    it_says_whether_it_needs_gold,
    it_labels_every_example,
    its_columns_have_the_right_types,
    it_says_why_it_abstained,
    the_same_seed_gives_the_same_answers,
)


def _said(subject: Subject, count: int, *, shown: bool = False, again: bool = False) -> Annotations:
    annotator: Any = subject.remade() if again else subject.made()
    if abilities.asks_service(annotator):
        skip("it asks a service")
    given = subject.tiny.rows(count)
    arguments: list[Any] = [given.pool, given.demonstrations if shown else None, no_progress]
    if annotator.needs_gold:
        labels = np.where(given.annotations.labels == ABSTAINED, 0, given.annotations.labels)
        arguments.append(Gold("train", labels, given.pool.offsets))
    said = asked(annotator, "annotate", *arguments, gold=annotator.needs_gold)
    subject.checked(check_annotations, said, given.pool, given.card)
    assert isinstance(said, Annotations)
    return said
