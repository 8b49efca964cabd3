"""One run, example by example: what each stage said, and what is right where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data import (
    ABSTAINED,
    Annotations,
    BoolArray,
    Gold,
    IntArray,
    Pool,
    StudentView,
    TaskCard,
)
from harness.errors import CorruptRunError
from harness.iob2 import spans_of
from harness.metrics import right_examples
from harness.protocols import Evidence, Task
from harness.record import codecs, layout
from harness.record.finished import FinishedRun
from harness.report.page.prompts import Prompts
from harness.run.feedback import evidence
from harness.run.splits import splits_of


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """The pool's labels after a stage, int32 ``[units]``, as they are scored."""

    stage: str
    actor: str
    labels: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """What a round recorded of the pool, and what its selector read.

    ``trusted``: bool ``[n]``; ``demonstrations``: rows of the pool.
    """

    annotations: Annotations
    view: StudentView
    seen: Evidence
    trusted: BoolArray
    demonstrations: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """A finished run with its records.

    Attributes:
        run: where they are from.
        card: of its task.
        pool: ids and texts; the texts are empty where ``has_texts`` is False.
        gold: ``ABSTAINED`` where there is none, or where the data is not at hand.
        rounds, said: what was recorded, by round and by stage.
        prompts: of an annotator that asks a language model.
    """

    run: FinishedRun
    card: TaskCard
    pool: Pool
    has_texts: bool
    gold: Gold
    rounds: Sequence[Round]
    said: Sequence[Said]
    prompts: Prompts | None = None

    @property
    def last(self) -> Round:
        """The last round."""
        return self.rounds[-1]

    @property
    def first_annotator(self) -> Said:
        """What the annotator said before anybody taught it."""
        return self.said[0]

    @property
    def last_student(self) -> Said:
        """What the last student said."""
        return self.said[-1]

    @property
    def scored(self) -> bool:
        """Whether any example has gold."""
        return bool(self.gold.known.any())

    def text(self, row: int) -> str:
        """An example's text; empty where it is not at hand."""
        example = self.pool.examples[row]
        return example if isinstance(example, str) else " ".join(example)

    def spelled(self, labels: IntArray, row: int) -> str | None:
        """The label of an example; token tasks: ``person: Ann Stone; place: Oslo``, or a dash.

        None where there is none.
        """
        begin, end = self.pool.offsets[row : row + 2].tolist()
        found = labels[begin:end].tolist()
        if found[0] == ABSTAINED:
            return None
        if self.card.kind == "sequence":
            return str(self.card.classes[found[0]])
        names, tokens = [label.name for label in self.card.labels], self.pool.examples[row]
        spans = [(names[kind], tokens[start:stop]) for start, stop, kind in spans_of(found)]
        return "; ".join(f"{name}: {' '.join(words)}" for name, words in spans) or "–"

    def right(self, said: Said) -> BoolArray:
        """bool ``[n]``: whether a stage's label is right; False where that is not known."""
        return right_examples(said.labels, self.gold)


def look_inside(run: FinishedRun, task: Task, *, has_texts: bool) -> Inside:
    """Read all records of a run.

    Args:
        run: a finished one.
        task: that of the run.
        has_texts: whether its data is at hand; else texts and gold stay unknown.

    Raises:
        HarnessError: if records are damaged, or the data is not that of the run.
    """
    if has_texts:
        train = splits_of(run.config, task).train
        pool, gold = train.pool, train.gold
    else:
        pool = _recorded_pool(run)
        gold = Gold.none_of(pool)
    rounds = [_round(run, round_, pool, task) for round_ in range(run.config.rounds)]
    said = []
    for stage in run.result.stages:
        of = rounds[stage.round]
        labels = of.annotations.labels if stage.actor == "annotator" else of.view.predictions
        said.append(Said(stage.stage, stage.actor, labels))
    return Inside(run, task.card, pool, has_texts, gold, rounds, said)


def _recorded_pool(run: FinishedRun) -> Pool:
    """Ids and lengths of the examples, without their texts."""
    ids = run.folder.read(layout.annotations_of(0, "train"), codecs.read_ids)
    lengths = np.diff(run.view(0).offsets).tolist()
    sequence = run.result.kind == "sequence"
    examples: Any = [""] * len(ids) if sequence else [("",) * length for length in lengths]
    return Pool(run.result.kind, "train", ids, examples)


def _round(run: FinishedRun, round_: int, pool: Pool, task: Task) -> Round:
    made, view, selection = (
        run.annotations(round_, pool, task),
        run.view(round_),
        run.selection(round_),
    )
    if made is None:
        raise CorruptRunError(f"{run.folder.path}: has no annotations of round {round_}")
    trusted = np.zeros(len(pool), dtype=np.bool_)
    trusted[selection.trusted] = True
    return Round(made, view, evidence(made, view, task.card), trusted, selection.demonstrations)
