"""A run's student, kept after the fact: the last round is trained once more, nothing is asked."""

from __future__ import annotations

import numpy as np

from harness.data import Annotations, StudentView
from harness.record import codecs
from harness.record.folder import STUDENT
from harness.run.stages import Stages

__all__ = ["keep_student"]


def keep_student(stages: Stages) -> None:
    """Train and keep the last round's student, where it is wanted and was not kept.

    It learns from the recorded annotations with the same seed, so on the same machine it is
    the student that was scored. What is recorded stays as it is; where the new student
    predicts otherwise (another machine, another version of a package) that is said.
    """
    config, folder = stages.config, stages.folder
    if not config.student.save or folder.has(STUDENT):
        return
    round_ = config.rounds - 1
    stages.watcher.noted("the student was not kept; it is trained once more to be kept")
    seen = stages.fit_again(round_, _annotations(stages, round_))["train"]
    recorded, _ = folder.read(f"rounds/{round_:02d}/view.safetensors", codecs.read_views)
    differs = _differing(seen, recorded["train"])
    if differs:
        stages.watcher.noted(
            f"the kept student predicts otherwise than the recorded one for {differs} of "
            f"{len(seen)} examples of the pool: other hardware or versions; --fresh does the "
            "run anew, with the student kept at once"
        )


def _annotations(stages: Stages, round_: int) -> Annotations:
    pool, classes = stages.splits.train.pool, stages.task.classes
    annotations, _ = stages.folder.read(
        codecs.annotations_file(round_, "train"),
        lambda path: codecs.read_annotations(path, pool, classes),
    )
    return annotations


def _differing(one: StudentView, other: StudentView) -> int:
    """Examples for which a unit is predicted otherwise."""
    wrong = (one.predictions != other.predictions).astype(np.int64)
    return int((np.add.reduceat(wrong, one.offsets[:-1]) > 0).sum())
