"""A run's student, kept after the fact: the last round is trained once more, nothing is asked."""

from __future__ import annotations

import numpy as np

from harness import abilities
from harness.data import Annotations, Pool, StudentView
from harness.protocols import Aids
from harness.record import codecs, layout
from harness.run.steps import Run
from harness.run.training import fit


def keep_student(run: Run) -> None:
    """Train and keep the last round's student, where it is wanted and was not kept.

    It learns from the recorded annotations with the same seed, so on the same machine it is
    the student that was scored. What is recorded stays as it is; a note says where the new
    student predicts otherwise (another machine, another version of a package).
    """
    if not run.config.student.save or run.folder.has(layout.STUDENT):
        return
    round_ = run.config.rounds - 1
    run.watcher.noted("the student was not kept; it is trained once more to be kept")
    aids = Aids(_variants(run, round_), None, run.watcher.noted)
    seen = fit(run, round_, _annotations(run, round_), aids)["train"]
    recorded, _ = run.folder.read(layout.view(round_), codecs.VIEWS.read)
    differs = _differing(seen, recorded["train"])
    if differs:
        run.watcher.noted(
            f"the kept student predicts otherwise than the recorded one for {differs} of "
            f"{len(seen)} examples of the pool: other hardware or versions; --fresh does the "
            "run anew, with the student kept at once"
        )


def _annotations(run: Run, round_: int) -> Annotations:
    codec = codecs.annotations_codec(run.splits.train.pool, run.task.classes)
    return run.folder.read(layout.annotations_of(round_, "train"), codec.read)[0]


def _variants(run: Run, round_: int) -> Pool | None:
    """The recorded variants that the round's student was trained with."""
    augmenter = run.parts.augmenter
    if augmenter is None:
        return None
    file = layout.variants(round_ if abilities.reads_labels(augmenter) else None)
    return run.folder.read(file, codecs.variants_codec(run.splits.train.pool).read)[0].pool


def _differing(one: StudentView, other: StudentView) -> int:
    """Examples for which a unit is predicted otherwise."""
    wrong = (one.predictions != other.predictions).astype(np.int64)
    return int((np.add.reduceat(wrong, one.offsets[:-1]) > 0).sum())
