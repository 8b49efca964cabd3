"""The labels that a run gave, as rows: to use them elsewhere, or to replay them.

Each row says whether gold labels had a part in it (``supervised``), so that nobody takes
the labels of a simulation for those of a model, whatever becomes of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from harness.data import Annotations, BoolArray, FloatArray, IntArray, Pool
from harness.protocols import Task
from harness.record.finished import FinishedRun
from harness.results import StageResult
from harness.run.feedback import evidence
from harness.run.splits import splits_of


def label_rows(run: FinishedRun, task: Task, stage: StageResult) -> Iterator[Mapping[str, Any]]:
    """The pool's labels as a stage left them, those that its transductive score is of.

    One row an example: ``id``; ``text`` and ``label``, or ``tokens`` and ``tags`` (null:
    abstained); ``confidence`` in [0, 1] or null; ``given_by`` (``annotator`` or
    ``student``); ``trusted`` by the selector of the same round; ``supervised``.

    Raises:
        DataError: if the task's data is not that of the run.
    """
    pool = splits_of(run.config, task).train.pool
    labels, confidence, student = _of_stage(run, task, stage, pool)
    trusted = np.zeros(len(pool), dtype=np.bool_)
    trusted[run.selection(stage.round).trusted] = True
    key = "label" if pool.kind == "sequence" else "tags"
    answers = _answers(labels, pool, task)
    for row, (example, answer) in enumerate(zip(_examples(pool), answers, strict=True)):
        yield {
            **example,
            key: answer,
            "confidence": _known(confidence[row]),
            "given_by": "student" if student[row] else "annotator",
            "trusted": bool(trusted[row]),
            "supervised": run.result.supervised,
        }


def replay_rows(run: FinishedRun, task: Task, stage: StageResult) -> Iterator[Mapping[str, Any]]:
    """What the annotator said in a stage about every split, as ``replay:FILE`` reads it.

    One row an example: ``id``; ``text`` and ``llm_label``, or ``tokens`` and ``llm_tags``
    (null: abstained); ``confidence`` or null; ``reply``; ``supervised``.

    Raises:
        DataError: if the task's data is not that of the run.
    """
    splits = splits_of(run.config, task)
    for split in (splits.train, *splits.beside.values()):
        said = run.annotations(stage.round, split.pool, task)
        if said is not None:
            yield from _recorded(said, split.pool, task, supervised=run.result.supervised)


def _recorded(
    said: Annotations, pool: Pool, task: Task, *, supervised: bool
) -> Iterator[Mapping[str, Any]]:
    key = "llm_label" if pool.kind == "sequence" else "llm_tags"
    answers = _answers(said.labels, pool, task)
    for row, (example, answer) in enumerate(zip(_examples(pool), answers, strict=True)):
        yield {
            **example,
            key: answer,
            "confidence": _known(said.confidence[row]),
            "reply": said.replies[row],
            "supervised": supervised,
        }


def _of_stage(
    run: FinishedRun, task: Task, stage: StageResult, pool: Pool
) -> tuple[IntArray, FloatArray, BoolArray]:
    """Labels ``[units]``, their confidence ``[n]``, and which are the student's ``[n]``."""
    said = run.annotations(stage.round, pool, task)
    assert said is not None  # of the pool there always are
    if stage.actor == "annotator":
        return said.labels, said.confidence, run.carried(stage.round)
    view = run.view(stage.round)
    sure = evidence(said, view, task.card).student_confidence
    return view.predictions, sure, np.ones(len(pool), dtype=np.bool_)


def _examples(pool: Pool) -> Iterator[dict[str, Any]]:
    for id_, example in zip(pool.ids, pool.examples, strict=True):
        yield (
            {"id": id_, "text": example}
            if pool.kind == "sequence"
            else {"id": id_, "tokens": list(example)}
        )


def _answers(labels: IntArray, pool: Pool, task: Task) -> Iterator[str | list[str] | None]:
    """A label, or tags, of each example; None where there is none."""
    names, offsets = task.card.classes, pool.offsets.tolist()
    for begin, end in pairwise(offsets):
        said = labels[begin:end].tolist()
        if said[0] < 0:
            yield None
        else:
            yield names[said[0]] if pool.kind == "sequence" else [names[one] for one in said]


def _known(confidence: float) -> float | None:
    return None if np.isnan(confidence) else float(confidence)
