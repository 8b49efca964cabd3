"""The two actors' stages: each step is read back if it was recorded, else done and recorded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from harness.config import Config
from harness.data import (
    Annotations,
    Demonstrations,
    Gold,
    IntArray,
    Pool,
    Selection,
    StudentView,
)
from harness.data import merge as merged
from harness.errors import NotRecordedError, PartError
from harness.metrics import right_examples
from harness.progress import Watcher
from harness.protocols import Aids, Assisted, FittedStudent, Parts, Writes, Written
from harness.record import codecs
from harness.record.folder import STUDENT, RunFolder
from harness.results import SelectionResult, Spending, StageResult
from harness.run.contracts import blaming, check_annotations, check_view
from harness.run.feedback import Feedback, believe, evidence, select
from harness.run.ledger import Counting
from harness.run.scoring import Scorer
from harness.run.splits import Split, Splits
from harness.run.variants import Variants

__all__ = ["Annotated", "Stages", "Trained"]


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """What an annotator's stage leaves: the pool's labels now, and how it came to them.

    Attributes:
        train: the pool's labels.
        beside: labels of the splits that only score it (test, validation), where it has any.
    """

    train: Annotations
    beside: Mapping[str, Annotations]
    asked: int
    seconds: float
    written: Written | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training leaves.

    Attributes:
        views: the student's view of each split.
        seconds: of making variants, training and viewing.
        spending: what was paid for variants.
    """

    views: dict[str, StudentView]
    seconds: float
    spending: Mapping[str, Spending]


class _Paid(TypedDict):
    """The fields of a ``StageResult`` about what was paid."""

    requests: int
    tokens: int
    cost_usd: float
    spending: Mapping[str, Spending]


class Stages:
    """The steps of a run, over its parts, its data and its folder."""

    def __init__(
        self,
        parts: Parts,
        config: Config,
        splits: Splits,
        folder: RunFolder,
        watcher: Watcher,
        counting: Counting,
    ) -> None:
        self.parts, self.config, self.splits = parts, config, splits
        self.folder, self.watcher, self.counting = folder, watcher, counting
        self.task = parts.task.card
        self.scorer = Scorer(self.task, splits, without_leaked=config.without_leaked)
        self.variants = Variants(parts, config, splits.train.pool, folder, watcher, counting)

    # -- the annotator -----------------------------------------------------------------

    def annotate(self, round_: int, feedback: Feedback | None) -> tuple[Annotated, StageResult]:
        """R1 (R0 without generated demonstrations), R3, R5, ...: the annotator labels."""
        written = self._written() if round_ == 0 else None
        stage = f"R{2 * round_ + 1}" if round_ or self._starts_with else "R0"
        train, seconds = self._annotated(round_, self.splits.train, feedback, stage)
        beside = {}
        for name, split in self.splits.beside.items():
            # A recording may be of the pool alone: nothing to score on the others.
            with suppress(NotRecordedError):
                beside[name], _ = self._annotated(round_, split, feedback, stage)
        asked = len(train) if feedback is None else len(feedback.selection.requested)
        annotated = Annotated(train, beside, asked, seconds, written)
        return annotated, self._annotator_result(stage, round_, annotated)

    @property
    def _starts_with(self) -> Demonstrations | None:
        """What the pool is annotated with at first: written for it, the task's, or nothing."""
        if not self.config.demonstrations.generated:
            return None
        written = self._written()
        if written is None:
            return self.task.generated
        return written.demonstrations if len(written.demonstrations) else None

    def _written(self) -> Written | None:
        """The annotator's own demonstrations, recorded before they are used."""
        annotator = self.parts.annotator
        if not self.config.demonstrations.generated or not isinstance(annotator, Writes):
            return None
        name, classes = "rounds/00/written.json", self.task.classes
        if not self.folder.has(name):
            self.watcher.began("R1", "annotator", "writing demonstrations")
            with self.counting.by(name), blaming(f"annotator {self.config.annotator.spec!r}"):
                written = annotator.write(
                    self.splits.train.pool, self.config.seed, self.watcher.advanced
                )
            self.folder.write(name, lambda path: codecs.write_written(path, written, classes))
        kind = self.task.kind
        return self.folder.read(name, lambda path: codecs.read_written(path, kind, classes))

    def _annotated(
        self, round_: int, split: Split, feedback: Feedback | None, stage: str
    ) -> tuple[Annotations, float]:
        pool = split.pool
        name = codecs.annotations_file(round_, pool.split)
        classes = self.task.classes
        if not self.folder.has(name):
            began = time.perf_counter()
            self.watcher.began(stage, "annotator", f"annotating {pool.split}")
            with self.counting.by(name):
                said = self._ask(round_, split, feedback)
            seconds = time.perf_counter() - began
            self.folder.write(
                name,
                lambda path: codecs.write_annotations(path, said, pool, classes, seconds),
            )
        return self.folder.read(name, lambda path: codecs.read_annotations(path, pool, classes))

    def _ask(self, round_: int, split: Split, feedback: Feedback | None) -> Annotations:
        if feedback is None:
            return self._call_annotator(split.pool, split.gold, self._starts_with)
        rows = feedback.requested(split.pool)
        if len(rows) == 0:
            return feedback.annotations
        demonstrations = feedback.demonstrations(
            self.splits.train.pool,
            split.pool,
            self.task,
            self.parts.demonstrations,
            np.random.default_rng([self.config.seed, round_, 4, *split.pool.split.encode()]),
        )
        said = self._call_annotator(split.pool.take(rows), split.gold.take(rows), demonstrations)
        if split.pool.split != "train":
            return said
        return merged(feedback.annotations, rows, said)

    def _call_annotator(
        self, pool: Pool, gold: Gold, demonstrations: Demonstrations | None
    ) -> Annotations:
        annotator, part = self.parts.annotator, f"annotator {self.config.annotator.spec!r}"
        with blaming(part):
            if annotator.needs_gold:
                said = annotator.annotate(pool, demonstrations, self.watcher.advanced, gold)
            else:
                said = annotator.annotate(pool, demonstrations, self.watcher.advanced)
            check_annotations(said, pool, self.task, part)
        return said

    def _annotator_result(self, stage: str, round_: int, annotated: Annotated) -> StageResult:
        train = annotated.train
        labels = {name: said.labels for name, said in annotated.beside.items()}
        return StageResult(
            stage=stage,
            round=round_,
            actor="annotator",
            n=len(train),
            abstained=int((~train.answered).sum()),
            annotated=annotated.asked,
            **self.scorer.scores(train.labels, labels),
            **_paid(_spending(annotated)),
            seconds=annotated.seconds,
        )

    # -- the student -------------------------------------------------------------------

    def train(self, round_: int, annotations: Annotations) -> Trained:
        """The student learns from the annotations and looks at every pool."""
        if not annotations.answered.any():
            raise PartError(
                f"annotator {self.config.annotator.spec!r} abstained from every example: "
                "there is nothing to train the student on"
            )
        made = self.variants.of(round_, annotations)
        name = f"rounds/{round_:02d}/view.safetensors"
        checkpoints = f"rounds/{round_:02d}/.checkpoint"
        if not self.folder.has(name):
            self._fit_and_record(name, checkpoints, round_, annotations, made.pool)
        self.folder.discard(checkpoints)
        views, seconds = self.folder.read(name, codecs.read_views)
        return Trained(views, made.seconds + seconds, made.spending)

    def _fit_and_record(
        self, name: str, checkpoints: str, round_: int, annotations: Annotations, made: Pool | None
    ) -> None:
        """On its own, so that the views are not in memory twice when they are read back."""
        began = time.perf_counter()
        aids = Aids(made, self.folder.scratch(checkpoints), self.watcher.noted)
        views = self._fit(round_, annotations, aids)
        seconds = time.perf_counter() - began
        self.folder.write(name, lambda path: codecs.write_views(path, views, seconds))

    def _fit(self, round_: int, annotations: Annotations, aids: Aids) -> dict[str, StudentView]:
        stage, part = f"R{2 * round_ + 2}", f"student {self.config.student.spec!r}"
        with blaming(part):
            self.watcher.began(stage, "student", "training")
            seed = int(np.random.default_rng([self.config.seed, round_, 3]).integers(2**31))
            fitted = self._fitted(annotations, seed, aids)
            views = {}
            for split in (self.splits.train, *self.splits.beside.values()):
                self.watcher.began(stage, "student", f"viewing {split.pool.split}")
                view = fitted.view(split.pool, self.watcher.advanced)
                check_view(view, split.pool, self.task, part)
                views[split.pool.split] = view
            if self.config.student.save and round_ == self.config.rounds - 1:
                self.folder.write_folder(STUDENT, fitted.save)
        return views

    def fit_again(self, round_: int, annotations: Annotations) -> dict[str, StudentView]:
        """Train a round's student anew; it is kept if that is wanted, its views are not."""
        made = self.variants.of(round_, annotations)
        return self._fit(round_, annotations, Aids(made.pool, None, self.watcher.noted))

    def _fitted(self, annotations: Annotations, seed: int, aids: Aids) -> FittedStudent:
        student, pool = self.parts.student, self.splits.train.pool
        if isinstance(student, Assisted):
            return student.fit_with(pool, annotations, seed, self.watcher.advanced, aids)
        return student.fit(pool, annotations, seed, self.watcher.advanced)

    # -- the selector ------------------------------------------------------------------

    def select(
        self, round_: int, annotations: Annotations, trained: Trained
    ) -> tuple[Feedback, StageResult]:
        """Read the student's view of the pool; decide what to trust, to show and to ask."""
        views = trained.views
        stage = f"R{2 * round_ + 2}"
        name = f"rounds/{round_:02d}/selection.json"
        if not self.folder.has(name):
            self.watcher.began(stage, "student", "selecting")
            seen = evidence(annotations, views["train"], self.task)
            with blaming(f"selector {self.config.selector.spec!r}"):
                selection = select(self.parts, seen, self.config.seed, round_)
            self.folder.write(name, lambda path: codecs.write_selection(path, selection))
        selection = self.folder.read(name, codecs.read_selection)
        believed = believe(annotations, views["train"], selection.trusted)
        result = self._student_result(stage, round_, trained, selection, believed)
        return Feedback(believed, views, selection), result

    def _student_result(
        self,
        stage: str,
        round_: int,
        trained: Trained,
        selection: Selection,
        believed: Annotations,
    ) -> StageResult:
        labels = {name: view.predictions for name, view in trained.views.items()}
        return StageResult(
            stage=stage,
            round=round_,
            actor="student",
            n=len(believed),
            abstained=0,
            annotated=0,
            **self.scorer.scores(labels["train"], labels),
            selection=self._selection_result(selection, believed),
            **_paid(trained.spending),
            seconds=trained.seconds,
        )

    def _selection_result(self, selection: Selection, believed: Annotations) -> SelectionResult:
        right = right_examples(believed.labels, self.splits.train.gold)

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
