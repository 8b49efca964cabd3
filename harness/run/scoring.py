"""What is reported of a stage: its scores on every split, its selection, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict

import numpy as np

from harness.audit.duplicates import leaked
from harness.data import (
    Annotations,
    BoolArray,
    FloatArray,
    Gold,
    IntArray,
    Selection,
    StudentView,
    TaskCard,
    take_units,
)
from harness.metrics import Score, right_examples, score
from harness.record import layout
from harness.results import SelectionResult, Spending, StageResult
from harness.run.annotating import Annotated
from harness.run.feedback import Feedback, evidence
from harness.run.splits import Splits
from harness.run.training import Trained
from harness.stats.intervals import score_interval
from harness.stats.outcomes import Outcomes, mention_counts


class _Scores(TypedDict):
    """The scores of a ``StageResult``, by the names of its fields."""

    transductive: Score | None
    inductive: Score | None
    validation: Score | None
    inductive_without_leaked: Score | None


class _Paid(TypedDict):
    """Its fields about what was paid."""

    requests: int
    tokens: int
    cost_usd: float
    spending: Mapping[str, Spending]


class Scorer:
    """Compares labels with gold labels, which nobody else in a run needs to see.

    Args:
        task: whose metric it is.
        splits: with their gold labels.
        without_leaked: also score the test rows whose text does not occur in the pool.
    """

    def __init__(self, task: TaskCard, splits: Splits, *, without_leaked: bool) -> None:
        self._task, self._splits = task, splits
        self._leaked: BoolArray | None = None
        if without_leaked and splits.test is not None:
            self._leaked = leaked(splits.train.pool, splits.test.pool)

    @property
    def leaked(self) -> int | None:
        """Test rows that the scores without leaked rows leave out; None if not asked for."""
        return None if self._leaked is None else int(self._leaked.sum())

    def annotator_stage(self, annotated: Annotated) -> StageResult:
        """What is reported of an annotator's stage."""
        train = annotated.train
        return StageResult(
            stage=annotated.stage,
            round=annotated.round,
            actor="annotator",
            n=len(train),
            abstained=int((~train.answered).sum()),
            annotated=annotated.asked,
            **self._scores(train.labels, {k: said.labels for k, said in annotated.beside.items()}),
            answered=float(train.answered.mean()),
            confidence=_mean(train.confidence[train.answered]),
            **_paid(_spending(annotated)),
            seconds=annotated.seconds,
        )

    def student_stage(
        self, round_: int, annotations: Annotations, trained: Trained, feedback: Feedback
    ) -> StageResult:
        """What is reported of a student's stage, with the selection that follows it."""
        seen = evidence(annotations, trained.views["train"], self._task)
        answered = annotations.answered
        labels = {name: view.predictions for name, view in trained.views.items()}
        return StageResult(
            stage=layout.student_stage(round_),
            round=round_,
            actor="student",
            n=len(feedback.annotations),
            abstained=0,
            annotated=0,
            **self._scores(labels["train"], labels),
            answered=1.0,
            confidence=_mean(seen.student_confidence),
            agreement=_mean(seen.agrees[answered]),
            noise=1 - float(np.exp(-_unit_losses(trained.views["train"], annotations)).mean()),
            selection=self._selection(feedback.selection, feedback.annotations),
            **_paid(trained.spending),
            seconds=trained.seconds,
        )

    def _selection(self, selection: Selection, believed: Annotations) -> SelectionResult:
        gold = self._splits.train.gold
        right, known = right_examples(believed.labels, gold), gold.known

        def share(rows: IntArray) -> float | None:
            return _mean(right[rows][known[rows]])

        return SelectionResult(
            trusted=len(selection.trusted),
            trusted_precision=share(selection.trusted),
            trusted_coverage=len(selection.trusted) / len(believed),
            demonstrations=len(selection.demonstrations),
            demonstrations_accuracy=share(selection.demonstrations),
            requested=len(selection.requested),
        )

    def _scores(self, train: IntArray, beside: Mapping[str, IntArray]) -> _Scores:
        """Score class indices, int ``[units]``, of the pool and of other splits by name.

        A split without labels, or without gold, or that the run does not have has no score.
        """
        found = {
            name: self._score(beside[name], split.gold)
            for name, split in self._splits.beside.items()
            if name in beside
        }
        return _Scores(
            transductive=self._score(train, self._splits.train.gold),
            inductive=found.get("test"),
            validation=found.get("validation"),
            inductive_without_leaked=self._without_leaked(beside.get("test")),
        )

    def _without_leaked(self, labels: IntArray | None) -> Score | None:
        if self._splits.test is None or labels is None or self._leaked is None:
            return None
        kept, gold = np.flatnonzero(~self._leaked), self._splits.test.gold
        if len(kept) == 0:
            return None
        return self._score(take_units(labels, gold.offsets, kept)[0], gold.take(kept))

    def _score(self, labels: IntArray, gold: Gold) -> Score | None:
        known = gold.known
        if known.all():
            return score(labels, gold, self._task)
        rows = np.flatnonzero(known)
        if len(rows) == 0:
            return None
        labels, gold = take_units(labels, gold.offsets, rows)[0], gold.take(rows)
        found = score(labels, gold, self._task)
        return replace(found, n=len(rows), interval=_interval(labels, gold, self._task))


def _interval(labels: IntArray, gold: Gold, task: TaskCard) -> tuple[float, float]:
    """95 % interval of a score, over the examples."""
    if task.metric == "accuracy":
        outcomes = Outcomes.of_examples(right_examples(labels, gold))
    else:
        outcomes = Outcomes.of_mentions(mention_counts(labels, gold.labels, gold.offsets))
    found = score_interval(outcomes)
    return found.low, found.high


def _mean(values: FloatArray | BoolArray) -> float | None:
    """The mean of the values that are known; None if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _unit_losses(view: StudentView, annotations: Annotations) -> FloatArray:
    losses = view.losses(annotations)
    return losses[~np.isnan(losses)]


def _spending(annotated: Annotated) -> dict[str, Spending]:
    """What a stage cost, by what it was spent on; nothing where all was free."""
    found = {}
    for name, said in {"train": annotated.train, **annotated.beside}.items():
        found[name] = Spending(
            requests=int(said.requests.sum()),
            tokens=int(said.tokens.sum()),
            cost_usd=float(said.cost_usd.sum()),
        )
    if (written := annotated.written) is not None:
        found["written"] = Spending(
            requests=written.requests, tokens=written.tokens, cost_usd=written.cost_usd
        )
    return {name: one for name, one in found.items() if one.requests or one.cost_usd}


def _paid(spending: Mapping[str, Spending]) -> _Paid:
    """What a stage paid, together and by what for."""
    return _Paid(
        requests=sum(one.requests for one in spending.values()),
        tokens=sum(one.tokens for one in spending.values()),
        cost_usd=sum(one.cost_usd for one in spending.values()),
        spending=spending,
    )
