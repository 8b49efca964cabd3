"""The two actors' stages: each step is read back if it was recorded, else done and recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np

from harness import encoding, iob2
from harness.config import Config
from harness.data import (
    ABSTAINED,
    Annotations,
    BoolArray,
    Demonstrations,
    Gold,
    IntArray,
    Pool,
    Selection,
    StudentView,
)
from harness.data import merge as merged
from harness.errors import HarnessError, NotRecordedError, PartError
from harness.feedback import Feedback, believe, evidence, select
from harness.metrics import right_examples
from harness.progress import Watcher
from harness.protocols import Parts, Writes, Written
from harness.results import SelectionResult, Spending, StageResult
from harness.run_folder import STUDENT, RunFolder
from harness.scoring import Scorer
from harness.splits import Split, Splits

__all__ = ["Annotated", "Stages"]


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


class Stages:
    """The steps of a run, over its parts, its data and its folder."""

    def __init__(
        self, parts: Parts, config: Config, splits: Splits, folder: RunFolder, watcher: Watcher
    ) -> None:
        self.parts, self.config, self.splits = parts, config, splits
        self.folder, self.watcher = folder, watcher
        self.task = parts.task.card
        self.scorer = Scorer(self.task, splits, without_leaked=config.without_leaked)

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
            with _blaming(f"annotator {self.config.annotator.spec!r}"):
                written = annotator.write(
                    self.splits.train.pool, self.config.seed, self.watcher.advanced
                )
            self.folder.write(name, lambda path: encoding.write_written(path, written, classes))
        kind = self.task.kind
        return self.folder.read(name, lambda path: encoding.read_written(path, kind, classes))

    def _annotated(
        self, round_: int, split: Split, feedback: Feedback | None, stage: str
    ) -> tuple[Annotations, float]:
        pool = split.pool
        name = encoding.annotations_file(round_, pool.split)
        classes = self.task.classes
        if not self.folder.has(name):
            began = time.perf_counter()
            self.watcher.began(stage, "annotator", f"annotating {pool.split}")
            said = self._ask(round_, split, feedback)
            seconds = time.perf_counter() - began
            self.folder.write(
                name,
                lambda path: encoding.write_annotations(path, said, pool, classes, seconds),
            )
        return self.folder.read(name, lambda path: encoding.read_annotations(path, pool, classes))

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
        annotator = self.parts.annotator
        with _blaming(f"annotator {self.config.annotator.spec!r}"):
            if annotator.needs_gold:
                said = annotator.annotate(pool, demonstrations, self.watcher.advanced, gold)
            else:
                said = annotator.annotate(pool, demonstrations, self.watcher.advanced)
            self._check(said, pool)
        return said

    def _check(self, said: Annotations, pool: Pool) -> None:
        """Hold an annotator to its protocol."""
        wrong = None
        if not np.array_equal(said.offsets, pool.offsets):
            wrong = "answered for other units than asked"
        elif ((said.labels < ABSTAINED) | (said.labels >= len(self.task.classes))).any():
            wrong = "answered with a class index that the task does not have"
        elif _answered_in_part(said).any():
            wrong = "abstained from a part of a sentence; it must answer all of it or nothing"
        elif self.task.kind == "token":
            unit = iob2.first_invalid(said.labels, said.offsets)
            if unit is not None:
                row = int(np.searchsorted(said.offsets, unit, side="right")) - 1
                wrong = f"answered with tags that are not IOB2 for {pool.ids[row]}"
        if wrong is not None:
            raise PartError(f"annotator {self.config.annotator.spec!r} {wrong}")

    def _annotator_result(self, stage: str, round_: int, annotated: Annotated) -> StageResult:
        train = annotated.train
        labels = {name: said.labels for name, said in annotated.beside.items()}
        spending = _spending(annotated)
        return StageResult(
            stage=stage,
            round=round_,
            actor="annotator",
            n=len(train),
            abstained=int((~train.answered).sum()),
            annotated=annotated.asked,
            **self.scorer.scores(train.labels, labels),
            requests=sum(one.requests for one in spending.values()),
            tokens=sum(one.tokens for one in spending.values()),
            cost_usd=sum(one.cost_usd for one in spending.values()),
            spending=spending,
            seconds=annotated.seconds,
        )

    # -- the student -------------------------------------------------------------------

    def train(self, round_: int, annotations: Annotations) -> tuple[dict[str, StudentView], float]:
        """The student learns from the annotations and looks at every pool."""
        name = f"rounds/{round_:02d}/view.safetensors"
        if not self.folder.has(name):
            self._fit_and_record(name, round_, annotations)
        return self.folder.read(name, encoding.read_views)

    def _fit_and_record(self, name: str, round_: int, annotations: Annotations) -> None:
        """On its own, so that the views are not in memory twice when they are read back."""
        began = time.perf_counter()
        views = self.fit(round_, annotations)
        seconds = time.perf_counter() - began
        self.folder.write(name, lambda path: encoding.write_views(path, views, seconds))

    def fit(self, round_: int, annotations: Annotations) -> dict[str, StudentView]:
        """Train, look at every pool, and keep the last round's student if it is wanted."""
        stage = f"R{2 * round_ + 2}"
        spec = self.config.student.spec
        if not annotations.answered.any():
            raise PartError(
                f"annotator {self.config.annotator.spec!r} abstained from every example: "
                "there is nothing to train the student on"
            )
        with _blaming(f"student {spec!r}"):
            self.watcher.began(stage, "student", "training")
            seed = int(np.random.default_rng([self.config.seed, round_, 3]).integers(2**31))
            fitted = self.parts.student.fit(
                self.splits.train.pool, annotations, seed, self.watcher.advanced
            )
            views = {}
            for split in (self.splits.train, *self.splits.beside.values()):
                self.watcher.began(stage, "student", f"viewing {split.pool.split}")
                view = fitted.view(split.pool, self.watcher.advanced)
                self._check_view(view, split.pool)
                views[split.pool.split] = view
            if self.config.student.save and round_ == self.config.rounds - 1:
                self.folder.write_folder(STUDENT, fitted.save)
        return views

    def _check_view(self, view: StudentView, pool: Pool) -> None:
        """Hold a student to its protocol, before its view is recorded."""
        classes = len(self.task.classes)
        wrong = None
        if not np.array_equal(view.offsets, pool.offsets):
            wrong = "viewed other units than asked"
        elif view.log_probabilities.shape != (int(pool.offsets[-1]), classes):
            wrong = f"gave probabilities of shape {view.log_probabilities.shape}"
        elif not (view.log_probabilities <= 1e-4).all():
            wrong = "gave log-probabilities that are positive or not a number"
        elif ((view.predictions < 0) | (view.predictions >= classes)).any():
            wrong = "predicted a class index that the task does not have"
        elif not np.isfinite(view.embeddings).all():
            wrong = "gave embeddings that are not finite"
        elif self.task.kind == "token" and (
            iob2.first_invalid(view.predictions, view.offsets) is not None
        ):
            wrong = "predicted tags that are not IOB2"
        if wrong is not None:
            raise PartError(f"student {self.config.student.spec!r} {wrong}")

    # -- the selector ------------------------------------------------------------------

    def select(
        self,
        round_: int,
        annotations: Annotations,
        trained: tuple[dict[str, StudentView], float],
    ) -> tuple[Feedback, StageResult]:
        """Read the student's view of the pool; decide what to trust, to show and to ask."""
        views, seconds = trained
        stage = f"R{2 * round_ + 2}"
        name = f"rounds/{round_:02d}/selection.json"
        if not self.folder.has(name):
            self.watcher.began(stage, "student", "selecting")
            seen = evidence(annotations, views["train"], self.task)
            with _blaming(f"selector {self.config.selector.spec!r}"):
                selection = select(self.parts, seen, self.config.seed, round_)
            self.folder.write(name, lambda path: encoding.write_selection(path, selection))
        selection = self.folder.read(name, encoding.read_selection)
        believed = believe(annotations, views["train"], selection.trusted)
        result = self._student_result(stage, round_, views, selection, believed, seconds)
        return Feedback(believed, views, selection), result

    def _student_result(
        self,
        stage: str,
        round_: int,
        views: dict[str, StudentView],
        selection: Selection,
        believed: Annotations,
        seconds: float,
    ) -> StageResult:
        labels = {name: view.predictions for name, view in views.items()}
        return StageResult(
            stage=stage,
            round=round_,
            actor="student",
            n=len(believed),
            abstained=0,
            annotated=0,
            **self.scorer.scores(labels["train"], labels),
            selection=self._selection_result(selection, believed),
            seconds=seconds,
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


def _answered_in_part(said: Annotations) -> BoolArray:
    """bool ``[n]``: some units of the example have a label and some have none."""
    given = np.add.reduceat((said.labels != ABSTAINED).astype(np.int64), said.offsets[:-1])
    return np.asarray((given > 0) & (given < np.diff(said.offsets)))


@contextmanager
def _blaming(part: str) -> Iterator[None]:
    """Name the part in which an unforeseen error arose."""
    try:
        yield
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise PartError(f"{part} failed: {type(error).__name__}: {said}") from error
