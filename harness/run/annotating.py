"""The annotator's steps: write the first demonstrations, label each split."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from harness import abilities
from harness.data import ABSTAINED, Annotations, Demonstrations, IntArray, merge
from harness.errors import NotRecordedError
from harness.protocols import Written
from harness.record import codecs, layout
from harness.run.contracts import blaming, check_annotations
from harness.run.feedback import Feedback, drawing
from harness.run.selecting import select_first
from harness.run.splits import Split
from harness.run.steps import Run, Step, recorded

NOT_ASKED = "not asked yet"
"""Why an example has no label where only a part of the pool is annotated."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What the first round begins with: rows of the pool, and demonstrations (None: zero-shot).

    ``written`` are those that the annotator wrote, with their cost; None where it writes none.
    """

    rows: IntArray
    demonstrations: Demonstrations | None
    written: Written | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """What an annotator's stage leaves.

    Attributes:
        train: the pool's labels after it.
        scored: labels of the splits that only score it (test, validation), where it has any.
        requested: rows of the pool that the annotator had to label.
        times: int64 ``[n]``, how often it was asked about each example so far.
        seconds: of annotating the pool.
        written: the demonstrations that it wrote in this stage.
    """

    stage: str
    round: int
    train: Annotations
    scored: Mapping[str, Annotations]
    requested: IntArray
    times: IntArray
    seconds: float
    written: Written | None


def start_of(run: Run) -> Start:
    """What the first round begins with: the annotator's demonstrations, the task's, or none."""
    rows = select_first(run)
    if not run.config.demonstrations.generated:
        return Start(rows, None)
    write = abilities.writer(run.parts.annotator)
    if write is None:
        return Start(rows, run.task.generated)
    pool, seed = run.splits.train.pool, run.config.seed
    decided = (run.keys["annotator"], run.keys["demonstrations"], run.part("annotator"))
    stage = layout.annotator_stage(0)
    step = run.step("written", 0, stage, layout.WRITTEN, run.pools["train"], *decided)

    def made() -> Written:
        with blaming(*run.parts.origin("annotator"), write):
            return write(pool, seed, run.watcher.advanced)

    codec = codecs.written_codec(run.task.kind, run.task.classes)
    written, _ = recorded(run, step, made, codec)
    return Start(rows, written.demonstrations if len(written.demonstrations) else None, written)


def annotate(run: Run, round_: int, start: Start, feedback: Feedback | None) -> Annotated:
    """R1 (R0 without demonstrations), R3, R5, ...: the annotator labels every split.

    Of the pool only the examples that the selector requested.
    """
    stage = layout.annotator_stage(round_, zero_shot=start.demonstrations is None)
    train, seconds = _annotations(run, round_, stage, run.splits.train, start, feedback)
    scored = {}
    for name, split in run.splits.scored.items():
        # A recording may hold answers for the pool alone: nothing to score on the others.
        with suppress(NotRecordedError):
            scored[name], _ = _annotations(run, round_, stage, split, start, feedback)
    requested = start.rows if feedback is None else feedback.selection.requested
    times = np.zeros(len(train), dtype=np.int64) if feedback is None else feedback.times.copy()
    times[requested] += 1
    written = start.written if round_ == 0 else None
    return Annotated(stage, round_, train, scored, requested, times, seconds, written)


def _annotations(
    run: Run, round_: int, stage: str, split: Split, start: Start, feedback: Feedback | None
) -> tuple[Annotations, float]:
    def made() -> Annotations:
        if feedback is None:
            return _ask_first(run, round_, split, start)
        return _ask_again(run, round_, split, feedback)

    step = _step(run, round_, stage, split, start, feedback)
    return recorded(run, step, made, codecs.annotations_codec(split.pool, run.task.classes))


def _step(
    run: Run, round_: int, stage: str, split: Split, start: Start, feedback: Feedback | None
) -> Step:
    name = split.pool.split
    decided = [run.pools[name], run.keys["annotator"], run.keys["demonstrations"]]
    decided.append(run.part("annotator"))
    if run.parts.annotator.needs_gold:
        decided.append(split.gold)
    if feedback is None:
        decided.append(start.demonstrations)
        if name == "train" and run.parts.initial is not None:
            decided.append(start.rows)
    else:
        chooser = run.keys["selector"]["demonstrations"], run.part("demonstrations")
        decided += [chooser, run.pools["train"], *feedback.decides(name)]
    file = layout.annotations_of(round_, name)
    return run.step("annotations", round_, stage, file, *decided, split=name)


def _ask_first(run: Run, round_: int, split: Split, start: Start) -> Annotations:
    """All of a split; of the pool what was chosen for the first round."""
    n = len(split.pool)
    if split.pool.split != "train" or len(start.rows) == n:
        return _ask(run, round_, split, start.demonstrations)
    nothing = np.full(int(split.pool.offsets[-1]), ABSTAINED, dtype=np.int32)
    blank = Annotations.of(nothing, split.pool.offsets, reasons=[NOT_ASKED] * n)
    return merge(blank, start.rows, _ask(run, round_, split.take(start.rows), start.demonstrations))


def _ask_again(run: Run, round_: int, split: Split, feedback: Feedback) -> Annotations:
    """With the demonstrations that the selector chose, for the examples that it requested."""
    rows = feedback.requested(split.pool)
    if len(rows) == 0:
        return feedback.annotations
    rng = drawing(run.config.seed, round_, split.pool)
    train, chooser = run.splits.train.pool, run.parts.demonstrations
    with blaming(*run.parts.origin("demonstrations"), chooser.assign):
        demonstrations = feedback.demonstrations(train, split.pool, run.task, chooser, rng)
    new = _ask(run, round_, split.take(rows), demonstrations)
    return merge(feedback.annotations, rows, new) if split.pool.split == "train" else new


def _ask(run: Run, round_: int, split: Split, demonstrations: Demonstrations | None) -> Annotations:
    """Gold labels go to an annotator that declares ``needs_gold``, and to no other."""
    annotator = abilities.of_round(run.parts.annotator, round_)
    progress = run.watcher.advanced
    with blaming(*run.parts.origin("annotator"), annotator.annotate):
        if annotator.needs_gold:
            made = annotator.annotate(split.pool, demonstrations, progress, split.gold)
        else:
            made = annotator.annotate(split.pool, demonstrations, progress)
        check_annotations(made, split.pool, run.task)
    return made
