"""Labels of all rows of a user's file, out of a finished run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.data import ABSTAINED, Annotations, IntArray, StudentView
from harness.export.rows import Type
from harness.label.by_hand import Answer
from harness.label.texts import Texts
from harness.label.words import spans_in, words
from harness.protocols import Task
from harness.record.finished import FinishedRun, own_answers
from harness.run.feedback import evidence, together
from harness.run.splits import splits_of
from harness.stats.intervals import score_interval
from harness.stats.outcomes import Interval, Outcomes

PLAUSIBLE = 0.1
"""The student's probability from which a label is a candidate."""
COLUMNS = ("label", "confidence", "given_by", "trusted", "candidates", "reason")
"""Columns that are added to a user's own."""
TYPES: Mapping[str, Type] = {"confidence": "float", "trusted": "bool", "candidates": "list"}
"""Types of some of them."""


@dataclass(frozen=True, slots=True)
class Given:
    """The label of one row.

    Attributes:
        label: a label, or (token tasks) the spans; None where there is none.
        confidence: the student's in this label, in [0, 1]; None without a label.
        given_by: ``both`` annotator and student, ``student`` or ``annotator`` where the other one
            says something else, or nothing (``stats.combined``), or a ``person``.
        trusted: the selector believes it.
        candidates: labels that are plausible, the likeliest first.
        reason: why there is no label, why the annotator abstained, or what was read of a long text.
    """

    label: Answer | None = None
    confidence: float | None = None
    given_by: str = ""
    trusted: bool = False
    candidates: Sequence[str] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A file with its labels.

    Attributes:
        texts: the file.
        given: of each row.
        labels: names of the task's labels, or entity types.
        cost_usd: that the run paid.
        outcomes: what is right in the rows with gold that were not chosen by the labels they
            got; None where there are no such rows.
        reviewed: the answers that a person gave, by row.
    """

    texts: Texts
    given: Sequence[Given]
    labels: Sequence[str]
    cost_usd: float
    outcomes: Outcomes | None = None
    reviewed: Mapping[int, Answer] = field(default_factory=dict)

    @property
    def interval(self) -> Interval | None:
        """95 % interval of accuracy, or entity F1; None without any gold."""
        return None if self.outcomes is None else score_interval(self.outcomes)

    def counts(self) -> Counter[str]:
        """Rows of each label; of entity types, mentions."""
        found = Counter(dict.fromkeys(self.labels, 0))
        for one in self.given:
            if isinstance(one.label, str):
                found[one.label] += 1
            elif one.label is not None:
                found.update(str(span["type"]) for span in one.label)
        return found

    def doubtful(self) -> list[int]:
        """Rows with a label, the most doubtful first; without those that a person labelled.

        First those on which annotator and student disagree; each by the student's confidence.
        """
        rows = [
            row
            for row, one in enumerate(self.given)
            if one.confidence is not None and one.given_by != "person"
        ]
        return sorted(
            rows, key=lambda row: (self.given[row].given_by == "both", self.given[row].confidence)
        )

    def types(self) -> Mapping[str, Type]:
        """Types of the columns that are added, as ``export.rows`` takes them."""
        names, found = self._names(), dict[str, Type](TYPES)
        spans: dict[str, Type] = {"label": "spans"}
        token = any(isinstance(one.label, tuple) for one in self.given)
        return {names[name]: type_ for name, type_ in (found | (spans if token else {})).items()}

    def _names(self) -> Mapping[str, str]:
        columns = self.texts.file.columns
        return {name: f"{name}_given" if name in columns else name for name in COLUMNS}

    def rows(self) -> Iterator[dict[str, Any]]:
        """The user's rows with the columns that are added, in the file's order."""
        columns, names = self.texts.file.columns, self._names()
        for row, one in zip(self.texts.rows, self.given, strict=True):
            own = {column: row.get(column) for column in columns}
            yield own | {
                names["label"]: one.label,
                names["confidence"]: one.confidence,
                names["given_by"]: one.given_by,
                names["trusted"]: one.trusted,
                names["candidates"]: list(one.candidates),
                names["reason"]: one.reason,
            }


def labelled(
    run: FinishedRun,
    task: Task,
    texts: Texts,
    reviewed: Mapping[int, Answer] | None = None,
    checked: Sequence[int] = (),
) -> Labelled:
    """The labels that a run's last round gave, with those of a person in their place.

    Args:
        run: of the task that was made of the texts.
        task: that one.
        texts: the file.
        reviewed: answers that a person gave, by row.
        checked: rows that were drawn at random to be reviewed: these measure how many labels
            are right, as do rows that the file has labels of.
    """
    reviewed = reviewed or {}
    given = [Given(reason=texts.unusable.get(row, "")) for row in range(len(texts.rows))]
    for row, one in zip(texts.texts, _of_run(run, task, texts), strict=True):
        given[row] = one
    drawn = {row: reviewed[row] for row in checked if row in reviewed}
    outcomes = outcomes_of(
        (given[row].label, gold) for row, gold in {**texts.gold, **drawn}.items()
    )
    for row, answer in reviewed.items():
        names = (answer,) if isinstance(answer, str) else ()
        given[row] = Given(answer, 1.0, "person", trusted=True, candidates=names)
    labels = [label.name for label in task.card.labels]
    return Labelled(texts, given, labels, run.result.cost_usd, outcomes, reviewed)


def outcomes_of(pairs: Iterable[tuple[Answer | None, Answer]]) -> Outcomes | None:
    """What is right of answers, each with its gold; None where there are none.

    A label that is missing is wrong, mentions that are missing are not found.
    """
    counts = [_counts(said, gold) for said, gold in pairs]
    if not counts:
        return None
    return Outcomes(np.asarray([counts], dtype=np.int64))


def _counts(said: Answer | None, gold: Answer) -> tuple[int, ...]:
    """As ``Outcomes`` counts: 1 for right; or mentions that are right, said, true."""
    if isinstance(gold, str):
        return (int(said == gold),)
    sets = [
        {(span["start"], span["end"], span["type"]) for span in spans or ()}
        for spans in (said, gold)
        if not isinstance(spans, str)
    ]
    return len(sets[0] & sets[1]), len(sets[0]), len(sets[1])


def _of_run(run: FinishedRun, task: Task, texts: Texts) -> Iterator[Given]:
    """What the last stage gave to each usable row, in their order."""
    pool = splits_of(run.config, task).train.pool
    last = run.stage(None).round
    said = own_answers(run, last, pool, task)
    view = run.view(last)
    seen = evidence(said, view, task.card)
    both = together(said, view, task.card)
    chosen = view.predictions if both is None else both
    trusted = np.zeros(len(pool), dtype=np.bool_)
    trusted[run.selection(last).trusted] = True
    place = {id_: row for row, id_ in enumerate(pool.ids)}  # the pool is in a drawn order
    loaded = task.load("train")
    assert loaded is not None
    for id_, (position, text) in zip(loaded.ids, texts.texts.items(), strict=True):
        row = place[id_]
        sure, by = float(seen.student_confidence[row]), "both" if seen.agrees[row] else "student"
        if both is not None and both[row] != view.predictions[row]:
            sure, by = float(np.exp(view.log_probabilities[row, both[row]])), "annotator"
        yield Given(
            label=_label(chosen[slice(*view.offsets[row : row + 2])], text, task),
            confidence=sure,
            given_by=by,
            trusted=bool(trusted[row]),
            candidates=_candidates(view, said, row, task),
            reason=said.reasons[row] or texts.cut.get(position, ""),
        )


def _label(chosen: IntArray, text: str, task: Task) -> Any:
    found = [task.card.classes[index] for index in chosen.tolist()]
    if task.card.kind == "sequence":
        return found[0]
    return tuple(spans_in(text, words(text)[1], found))


def _candidates(view: StudentView, said: Annotations, row: int, task: Task) -> list[str]:
    """Labels that the student finds plausible, and the annotator's own; none in token tasks."""
    if task.card.kind == "token":
        return []
    likely = view.log_probabilities[row]
    order = np.argsort(-likely, kind="stable").tolist()
    found = [index for index in order if likely[index] >= np.log(PLAUSIBLE)] or order[:1]
    own = (int(said.labels[row]), *said.candidates[row])
    found += [one for one in dict.fromkeys(own) if one not in (ABSTAINED, *found)]
    return [task.card.classes[index] for index in found]
