"""Labels of people from a tool's file, as gold, or in place of an annotator's answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.export.labels import replay_rows
from harness.export.tools import argilla, label_studio
from harness.export.tools.suggestions import Answer, tags_of
from harness.files.json_files import open_array
from harness.protocols import Task
from harness.record.finished import FinishedRun
from harness.results import StageResult
from harness.run.splits import splits_of

PERSON = "a person"
"""The reply of an answer that a person gave."""
WHY = "doubtful"
"""Why a person was asked: such rows do not say how right the others are."""
SHOWN = 5


def read_answers(path: Path) -> dict[str, Answer]:
    """What people said in a tool, by example; the tool is seen in the file.

    Raises:
        DataError: if the file cannot be read, is of no tool that is known, or has no answer.
    """
    values = [row for _, row in open_array(path).rows()]
    read = argilla.answers if any("fields" in one for one in values) else label_studio.answers
    try:
        found = {one.id: one for one in read(values, path.name)}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: neither an export of Label Studio (JSON or JSON-MIN) nor records of Argilla "
            f"({type(error).__name__}: {error})"
        ) from None
    if not found:
        raise DataError(f"{path}: nobody has answered anything in it")
    return found


def gold_rows(run: FinishedRun, task: Task, said: Mapping[str, Answer]) -> Iterator[dict[str, Any]]:
    """The examples that people labelled, with their labels, in the order of the pool.

    Raises:
        DataError: if an answer is about no example of the run, or no label of the task.
    """
    pool = splits_of(run.config, task).train.pool
    _check(pool.ids, said, [label.name for label in task.card.labels])
    for id_, example in zip(pool.ids, pool.examples, strict=True):
        if (answer := said.get(id_)) is None:
            continue
        if isinstance(example, str):
            yield {"id": id_, "text": example, "label": answer.label, "why": WHY}
        else:
            tokens = list(example)
            yield {"id": id_, "tokens": tokens, "tags": _tags(tokens, answer), "why": WHY}


def corrected_rows(
    run: FinishedRun, task: Task, stage: StageResult, said: Mapping[str, Answer]
) -> Iterator[Mapping[str, Any]]:
    """An annotator's answers for ``replay:FILE``, with those of people in their place.

    They depend on human labels, so a run with them is marked supervised. Errors as above.
    """
    own = {row["id"]: row for row in gold_rows(run, task, said)}
    for row in replay_rows(run, task, stage):
        mine = own.get(row["id"])
        if mine is None:
            yield {**row, "supervised": True}
        else:
            name = "llm_label" if "label" in mine else "llm_tags"
            given = mine.get("label", mine.get("tags"))
            alone: dict[str, list[str]] = {"candidates": []} if "candidates" in row else {}
            certain = {"confidence": 1.0, "reply": PERSON, "supervised": True}
            yield {**row, name: given, **certain, **alone}


def _tags(tokens: list[str], answer: Answer) -> list[str]:
    if isinstance(answer.label, str):
        raise DataError(f"{answer.place}: a label of the whole text, but the task finds entities")
    return tags_of(tokens, answer.label, answer.place)


def _check(ids: Sequence[str], said: Mapping[str, Answer], labels: Sequence[str]) -> None:
    known = set(ids)
    if strange := [one for id_, one in said.items() if id_ not in known]:
        raise DataError(
            f"{len(strange)} answers are about no example of this run: "
            f"{', '.join(f'{one.place} ({one.id})' for one in strange[:SHOWN])}; name another RUN"
        )
    for one in said.values():
        given = [one.label] if isinstance(one.label, str) else [s.type for s in one.label]
        if wrong := [name for name in given if name not in labels]:
            raise DataError(f"{one.place}: {wrong[0]!r} is none of {', '.join(labels)}")
