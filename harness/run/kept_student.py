"""Keeping the student of a run that did not: the last round is trained once more."""

from __future__ import annotations

import numpy as np

from harness import abilities
from harness.data import Annotations, Pool, StudentView
from harness.protocols import Aids
from harness.record import codecs, layout
from harness.run.steps import Run
from harness.run.training import fit


def keep_student(run: Run) -> None:
    """Train and keep the last round's student, if ``student.save`` is set and it was not kept.

    This asks no annotator: the student trains on the recorded annotations with the same seed,
    so on the same machine it is the one that was scored. Records stay as they are; a note says
    for how many examples the new student predicts another label (another machine or version).
    """
    if not run.config.student.save or run.folder.has(layout.STUDENT):
        return
    round_ = run.config.rounds - 1
    run.watcher.noted("the student was not kept; training it once more, to keep it")
    run.watcher.began(layout.student_stage(round_), "student", "trains again")
    aids = Aids(_variants(run, round_), None, run.watcher.noted)
    seen = fit(run, round_, _annotations(run, round_), aids)["train"]
    recorded, _ = run.folder.read(layout.view(round_), codecs.VIEWS.read)
    differs = _differing(seen, recorded["train"])
    if differs:
        run.watcher.noted(
            f"the kept student and the recorded one predict different labels for {differs} of "
            f"{len(seen)} examples of the pool: other hardware or versions; --fresh does the "
            "run anew and keeps its student"
        )


def _annotations(run: Run, round_: int) -> Annotations:
    codec = codecs.annotations_codec(run.splits.train.pool, run.task.classes)
    return run.folder.read(layout.annotations_of(round_, "train"), codec.read)[0]


def _variants(run: Run, round_: int) -> Pool | None:
    """The recorded variants on which the round's student was trained."""
    augmenter = run.parts.augmenter
    if augmenter is None:
        return None
    file = layout.variants(round_ if abilities.reads_labels(augmenter) else None)
    return run.folder.read(file, codecs.variants_codec(run.splits.train.pool).read)[0].pool


def _differing(one: StudentView, other: StudentView) -> int:
    """The number of examples in which a prediction differs."""
    wrong = (one.predictions != other.predictions).astype(np.int64)
    return int((np.add.reduceat(wrong, one.offsets[:-1]) > 0).sum())
