"""The result of a stage: its scores on every split, its selection, its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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
from harness.record.outcomes import SplitOutcomes
from harness.results import SelectionResult, StageResult, paid
from harness.run.annotating import Annotated
from harness.run.feedback import Feedback, evidence, together
from harness.run.splits import Split, Splits
from harness.run.training import Trained
from harness.stats.intervals import score_interval
from harness.stats.outcomes import Outcomes, mention_counts

FEW = 0.05
"""Share of the answers up to which it does not matter whose labels are taken."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A stage's result, what it got right on each split that has gold, and what to tell of it."""

    stage: StageResult
    outcomes: Mapping[str, SplitOutcomes]
    notes: tuple[str, ...] = ()


class Scorer:
    """Compares labels with gold labels: the only place in a run that does.

    ``without_leaked``: also score the test rows whose text does not occur in the pool.
    """

    def __init__(self, task: TaskCard, splits: Splits, *, without_leaked: bool) -> None:
        self._task, self._splits = task, splits
        self._leaked: BoolArray | None = None
        if without_leaked and splits.test is not None:
            self._leaked = leaked(splits.train.pool, splits.test.pool)

    @property
    def leaked(self) -> int | None:
        """Test rows that the scores without leaked rows leave out; None without them."""
        return None if self._leaked is None else int(self._leaked.sum())

    def annotator_stage(self, annotated: Annotated) -> Scored:
        """The result of an annotator's stage."""
        train = annotated.train
        others = {name: one.labels for name, one in annotated.scored.items()}
        costs = {"train": train, **annotated.scored, "written": annotated.written}
        stage = StageResult(
            stage=annotated.stage,
            round=annotated.round,
            actor="annotator",
            n=len(train),
            abstained=int((~train.answered).sum()),
            annotated=len(annotated.requested),
            unlabelled=int((annotated.times == 0).sum()),
            **self._scores(train.labels, others),
            answered=float(train.answered.mean()),
            confidence=_mean(train.confidence[train.answered]),
            **paid(costs),
            seconds=annotated.seconds,
        )
        return Scored(stage, self._outcomes({**others, "train": train.labels}))

    def student_stage(
        self, round_: int, annotations: Annotations, trained: Trained, feedback: Feedback
    ) -> Scored:
        """The result of a student's stage, with the selection that follows it."""
        view, answered = trained.views["train"], annotations.answered
        seen = evidence(annotations, view, self._task)
        labels = {name: view.predictions for name, view in trained.views.items()}
        both = together(annotations, view, self._task)
        stage = StageResult(
            stage=layout.student_stage(round_),
            round=round_,
            actor="student",
            n=len(feedback.annotations),
            abstained=0,
            annotated=0,
            unlabelled=int((feedback.times == 0).sum()),
            **self._scores(labels["train"], labels),
            answered=1.0,
            confidence=_mean(seen.student_confidence),
            agreement=_mean(seen.agrees[answered]),
            where_answered=self._where(answered, view.predictions),
            combined=None if both is None else self._where(np.ones_like(answered), both),
            noise=_noise(view, annotations),
            selection=self._selection(feedback.selection, feedback.annotations),
            **paid({"variants": trained.variants}),
            seconds=trained.seconds,
        )
        said = None if both is None else whose(annotations, view, both)
        notes = () if said is None else (f"{stage.stage}: {said}",)
        return Scored(stage, self._outcomes(labels), notes)

    def _where(self, rows: BoolArray, labels: IntArray) -> float | None:
        """The score of the pool's labels on some of its rows, bool ``[n]``."""
        gold, chosen = self._splits.train.gold, np.flatnonzero(rows)
        if len(chosen) == 0:
            return None
        found = score_known(
            take_units(labels, gold.offsets, chosen)[0], gold.take(chosen), self._task
        )
        return None if found is None else found.score

    def _outcomes(self, labels: Mapping[str, IntArray]) -> dict[str, SplitOutcomes]:
        """What labels by split got right, on the examples with gold."""
        splits = {"train": self._splits.train, **self._splits.scored}
        return {
            name: split_outcomes(labels[name], split, self._task)
            for name, split in splits.items()
            if name in labels and split.gold.known.any()
        }

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

    def _scores(self, train: IntArray, others: Mapping[str, IntArray]) -> dict[str, Any]:
        """The scores of a ``StageResult``, by the names of its fields.

        From class indices, int ``[units]``, of the pool, and of other splits by name; a split that
        is missing, or has no gold, has no score.
        """
        found = {
            name: score_known(others[name], split.gold, self._task)
            for name, split in self._splits.scored.items()
            if name in others
        }
        return {
            "transductive": score_known(train, self._splits.train.gold, self._task),
            "inductive": found.get("test"),
            "validation": found.get("validation"),
            "inductive_without_leaked": self._without_leaked(others.get("test")),
        }

    def _without_leaked(self, labels: IntArray | None) -> Score | None:
        if self._splits.test is None or labels is None or self._leaked is None:
            return None
        kept, gold = np.flatnonzero(~self._leaked), self._splits.test.gold
        if len(kept) == 0:
            return None
        left, _ = take_units(labels, gold.offsets, kept)
        return score_known(left, gold.take(kept), self._task)


def whose(annotations: Annotations, view: StudentView, both: IntArray) -> str | None:
    """Whose labels of a pool of texts look better, in one line.

    None if they differ on few, or if each is likelier on half of these.
    """
    said = annotations.labels
    differ = annotations.answered & (said != view.predictions)
    count, answers = int(differ.sum()), int(annotations.answered.sum())
    if count < FEW * answers or not count:
        return None
    kept = int((both == said)[differ].sum())
    if 2 * kept == count:
        return None
    better = "annotator's labels look better than the student's"
    if 2 * kept < count:
        better, kept = "student's labels look better than the annotator's", count - kept
    return (
        f"the {better}: likelier on {kept} of the {count} examples on which they differ, by the "
        "student's probabilities and how often the annotator errs (where there is gold, harness "
        "table --metric combined scores the likelier ones)"
    )


def score_known(labels: IntArray, gold: Gold, task: TaskCard) -> Score | None:
    """The score on the examples with gold, with an interval where some have none; None if all."""
    known = gold.known
    if known.all():
        return score(labels, gold, task)
    rows = np.flatnonzero(known)
    if len(rows) == 0:
        return None
    labels, gold = take_units(labels, gold.offsets, rows)[0], gold.take(rows)
    found = score_interval(_outcomes_of(labels, gold, task))
    return replace(score(labels, gold, task), n=len(rows), interval=(found.low, found.high))


def split_outcomes(labels: IntArray, split: Split, task: TaskCard) -> SplitOutcomes:
    """What labels, int ``[units]`` of a split, got right on its examples with gold."""
    rows = np.flatnonzero(split.gold.known)
    labels, gold = take_units(labels, split.gold.offsets, rows)[0], split.gold.take(rows)
    ids = tuple(np.asarray(split.pool.ids, dtype=object)[rows])
    return SplitOutcomes(ids, _outcomes_of(labels, gold, task))


def _outcomes_of(labels: IntArray, gold: Gold, task: TaskCard) -> Outcomes:
    if task.metric == "accuracy":
        return Outcomes.of_examples(right_examples(labels, gold))
    return Outcomes.of_mentions(mention_counts(labels, gold.labels, gold.offsets))


def _mean(values: FloatArray | BoolArray) -> float | None:
    """The mean of the values that are known; None if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _noise(view: StudentView, annotations: Annotations) -> float:
    losses = view.losses(annotations)
    return 1 - float(np.exp(-losses[~np.isnan(losses)]).mean())
