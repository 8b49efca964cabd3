"""The result of a stage: its scores on every split, its selection, its cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.audit.duplicates import leaked
from harness.data import Annotations, BoolArray, IntArray, Selection, TaskCard, take_units
from harness.metrics import Score, right_examples, score
from harness.record import layout
from harness.results import SelectionResult, StageResult, paid
from harness.run.annotating import Annotated
from harness.run.feedback import Feedback
from harness.run.splits import Splits
from harness.run.training import Trained


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

    def annotator_stage(self, annotated: Annotated) -> StageResult:
        """The result of an annotator's stage."""
        train = annotated.train
        costs = {"train": train, **annotated.scored, "written": annotated.written}
        return StageResult(
            stage=annotated.stage,
            round=annotated.round,
            actor="annotator",
            n=len(train),
            abstained=int((~train.answered).sum()),
            annotated=annotated.requested,
            **self._scores(train.labels, {k: one.labels for k, one in annotated.scored.items()}),
            **paid(costs),
            seconds=annotated.seconds,
        )

    def student_stage(self, round_: int, trained: Trained, feedback: Feedback) -> StageResult:
        """The result of a student's stage, with the selection that follows it."""
        labels = {name: view.predictions for name, view in trained.views.items()}
        return StageResult(
            stage=layout.student_stage(round_),
            round=round_,
            actor="student",
            n=len(feedback.annotations),
            abstained=0,
            annotated=0,
            **self._scores(labels["train"], labels),
            selection=self._selection(feedback.selection, feedback.annotations),
            **paid({"variants": trained.variants}),
            seconds=trained.seconds,
        )

    def _selection(self, selection: Selection, believed: Annotations) -> SelectionResult:
        right = right_examples(believed.labels, self._splits.train.gold)

        def share(rows: IntArray) -> float | None:
            return float(right[rows].mean()) if len(rows) else None

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
        is missing has no score.
        """
        found = {
            name: score(others[name], split.gold, self._task)
            for name, split in self._splits.scored.items()
            if name in others
        }
        return {
            "transductive": score(train, self._splits.train.gold, self._task),
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
        return score(left, gold.take(kept), self._task)
