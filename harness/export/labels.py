"""The labels of a run as rows: to use them elsewhere, or to replay them.

Each row says whether it depends on gold labels (``supervised``), so that nobody mistakes the
labels of a simulation for those of a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import BoolArray, FloatArray, IntArray, Pool
from harness.errors import CorruptRunError
from harness.export.rows import LABELS, for_spreadsheets, write_rows
from harness.protocols import Task
from harness.record.finished import FinishedRun, written_usd
from harness.results import StageResult
from harness.run.feedback import evidence
from harness.run.splits import splits_of


def label_rows(run: FinishedRun, task: Task, stage: StageResult) -> Iterator[Mapping[str, Any]]:
    """The pool's labels after a stage, to which its transductive score belongs.

    One row an example: ``id``; ``text`` and ``label``, or ``tokens`` and ``tags`` (null:
    abstained); ``confidence`` in [0, 1] or null; ``given_by`` (``annotator`` or ``student``);
    ``trusted`` by the selector of the same round; ``supervised``. A ``DataError`` if the task's
    data is not that of the run.
    """
    pool = splits_of(run.config, task).train.pool
    labels, confidence, student = labels_of_stage(run, task, stage, pool)
    trusted = np.zeros(len(pool), dtype=np.bool_)
    trusted[run.selection(stage.round).trusted] = True
    for row, (example, answer) in enumerate(_answered(labels, pool, task)):
        yield {
            **example,
            "label" if pool.kind == "sequence" else "tags": answer,
            "confidence": _known(confidence[row]),
            "given_by": "student" if student[row] else "annotator",
            "trusted": bool(trusted[row]),
            "supervised": run.result.supervised,
        }


def replay_rows(
    run: FinishedRun, task: Task, stage: StageResult | None
) -> Iterator[Mapping[str, Any]]:
    """The annotator's answers in a stage for every split, as ``replay:FILE`` reads them.

    One row an example: ``id``; ``text`` and ``llm_label``, or ``tokens`` and ``llm_tags``
    (null: abstained); ``confidence`` or null; ``reply``; ``supervised``; in sequence tasks
    ``candidates``, a list of the plausible labels, empty where no more than one was named. Without
    a stage those of all rounds: of the pool what the annotator was asked in each, with ``round``.
    Where the answers cost money, ``answers_usd``, in the first round with a share of what writing
    its demonstrations cost.
    Errors as above.
    """
    splits, priced = splits_of(run.config, task), bool(run.result.answers_usd)
    rounds = {one.round for one in ([stage] if stage else run.result.stages)}
    for round_, split in product(sorted(rounds), (splits.train, *splits.scored.values())):
        pool, at = split.pool, {} if stage else {"round": round_}
        recorded = run.annotations(round_, pool, task)
        if recorded is None:
            continue
        everything = stage is not None or split is not splits.train
        asked = np.ones(len(pool), dtype=np.bool_) if everything else run.asked(round_)
        sequence = pool.kind == "sequence"
        share = (
            written_usd(run.folder) / asked.sum() if not round_ and split is splits.train else 0.0
        )
        for row, (example, answer) in enumerate(_answered(recorded.labels, pool, task)):
            named = [task.card.classes[one] for one in recorded.candidates[row]]
            if asked[row]:
                yield {
                    **example,
                    "llm_label" if sequence else "llm_tags": answer,
                    "confidence": _known(recorded.confidence[row]),
                    "reply": recorded.replies[row],
                    "supervised": run.result.supervised,
                    **({"candidates": named} if sequence else {}),
                    **({"answers_usd": float(recorded.answers_usd[row] + share)} if priced else {}),
                    **at,
                }


def write_labels(
    run: FinishedRun,
    task: Task,
    to: Path,
    stage: str | None = None,
    *,
    replay: bool = False,
    spreadsheet: bool = False,
) -> tuple[int, str]:
    """Write ``label_rows`` of a stage (None: the last one); how many, and what they are of.

    ``replay``: ``replay_rows`` instead, without a stage those of all rounds. ``spreadsheet``: no
    cell is computed as a formula.
    """
    which = run.stage(stage, "annotator" if replay else None)
    all_rounds = replay and not stage
    rows = label_rows(run, task, which)
    if replay:
        rows = replay_rows(run, task, None if all_rounds else which)
    count = write_rows(to, for_spreadsheets(rows) if spreadsheet else rows, LABELS)
    return count, "all rounds" if all_rounds else which.stage


def labels_of_stage(
    run: FinishedRun, task: Task, stage: StageResult, pool: Pool
) -> tuple[IntArray, FloatArray, BoolArray]:
    """Labels after a stage.

    Returns:
        Class indices int32 ``[units]``, their confidence float32 ``[n]``, and which of them are
        the student's, bool ``[n]``.
    """
    recorded = run.annotations(stage.round, pool, task)
    if recorded is None:  # every round annotates the pool
        raise CorruptRunError(
            f"{run.folder.path}: has no record of round {stage.round}'s annotations of the pool; "
            "run the same command with --fresh"
        )
    if stage.actor == "annotator":
        return recorded.labels, recorded.confidence, run.carried(stage.round)
    view = run.view(stage.round)
    sure = evidence(recorded, view, task.card).student_confidence
    return view.predictions, sure, np.ones(len(pool), dtype=np.bool_)


def _answered(
    labels: IntArray, pool: Pool, task: Task
) -> Iterator[tuple[dict[str, Any], str | list[str] | None]]:
    """Each example, and its label or tags; None where there is none."""
    names, sequence = task.card.classes, pool.kind == "sequence"
    spans = pairwise(pool.offsets.tolist())
    for id_, example, (begin, end) in zip(pool.ids, pool.examples, spans, strict=True):
        answer = [names[one] for one in labels[begin:end].tolist() if one >= 0] or None
        if sequence:
            yield {"id": id_, "text": example}, answer and answer[0]
        else:
            yield {"id": id_, "tokens": list(example)}, answer


def _known(confidence: float) -> float | None:
    return None if np.isnan(confidence) else float(confidence)
