"""The ``replay`` annotator: recorded answers, paid for once.

``replay:FILE.jsonl`` reads rows of ``text`` (or ``tokens``) with ``llm_label`` or ``llm_tags``
(null: no answer), perhaps with ``candidates``, a list of plausible labels. In a file with
``label`` or ``tags`` alone those count as gold labels, and the run is marked supervised. Rows of
``harness export`` have a field for that, and one for the ``round`` of the answer, from 0 on: a
later round repeats its own answers, else earlier ones. A row without it counts for all rounds.

``replay:DIR/train_chat_bt.csv`` reads the reference implementation's rows ``label,text,augmented``
with labels as numbers in the order of the declared labels, -1 for no answer. The labels of
another csv file count as gold, unless its header has ``llm_label``.

``replay:RUN`` reads the answers of an earlier run (a folder or a run id), as it would read them
from a file of ``harness export RUN --replay``; ``replay:RUN,round=1`` repeats the labels after the
annotator's second round, in all rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from harness import iob2
from harness.data import ABSTAINED, Annotations, Demonstrations, Pool, TaskCard
from harness.errors import DataError, NotRecordedError, nearest
from harness.protocols import AnnotatorRequest, Progress
from harness_plugins.recordings import Record, Recording, open_recording


class ReplayAnnotator:
    """Repeats a recording; it has no gold labels but those that were recorded."""

    needs_gold: Literal[False] = False

    def __init__(self, recording: Recording, task: TaskCard, round_: int = 0) -> None:
        self._recording, self._task, self._round = recording, task, round_

    @classmethod
    def from_request(cls, request: AnnotatorRequest) -> ReplayAnnotator:
        """Open the recording that the spec names."""
        request.spec.check_options("round")
        round_ = request.spec.option("round", None, int)
        recording = open_recording(request.spec.argument, round_, request.task.classes)
        return cls(recording, request.task)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the recording."""
        return self._recording.fingerprint

    @property
    def from_gold(self) -> bool:
        """Whether the recording is of a run that was supervised."""
        return self._recording.from_gold

    def of_round(self, round_: int) -> ReplayAnnotator:
        """The same with what was recorded of a round, where the recording tells them apart."""
        return ReplayAnnotator(self._recording, self._task, round_)

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress
    ) -> Annotations:
        """The recorded answer of each example; it abstains where none is recorded.

        Raises:
            NotRecordedError: if not one example of the pool is in the recording.
            DataError: if a recorded answer does not fit the task.
        """
        records = self._recording.find(pool, self._round)
        if not any(records):
            raise NotRecordedError(
                f"{self._recording.source}: holds no answer for any of the {len(pool)} "
                f"{pool.split} examples; is it a recording of this task?"
            )
        labels = np.full(int(pool.offsets[-1]), ABSTAINED, dtype=np.int32)
        for row, record in enumerate(records):
            if record is not None and record.answer is not None:
                begin, end = int(pool.offsets[row]), int(pool.offsets[row + 1])
                labels[begin:end] = self._classes(record, end - begin)
        progress(len(pool), len(pool))
        confidence = [
            np.nan if record is None or record.confidence is None else record.confidence
            for record in records
        ]
        said = Annotations.of(
            labels,
            pool.offsets,
            confidence=np.asarray(confidence, dtype=np.float32),
            reasons=[_reason(record) for record in records],
            replies=["" if record is None else record.reply for record in records],
            candidates=[self._candidates(record) for record in records],
        )
        return replace(said, answers_usd=np.asarray([self._price(one) for one in records]))

    def _price(self, record: Record | None) -> float:
        """What an answer cost; one of another round that is repeated costs nothing again."""
        return record.answers_usd if record is not None and record.round == self._round else 0.0

    def _candidates(self, record: Record | None) -> tuple[int, ...]:
        """Several recorded candidates; one alone says no more than the label."""
        if record is None or len(record.candidates) < 2 or self._task.kind == "token":
            return ()
        names = [self._name(one, record.where) for one in record.candidates]
        return tuple(self._task.classes.index(one) for one in dict.fromkeys(names))

    def _classes(self, record: Record, units: int) -> list[int]:
        classes = self._task.classes
        answer = record.answer
        values: Sequence[object] = [answer] if self._task.kind == "sequence" else answer
        if not isinstance(values, list) or len(values) != units:
            raise DataError(f"{record.where}: the answer does not fit the example's {units} units")
        names = [self._name(value, record.where) for value in values]
        if self._task.kind == "token" and (wrong := iob2.fault(names)) is not None:
            raise DataError(f"{record.where}: {wrong}")
        return [classes.index(name) for name in names]

    def _name(self, value: object, where: str) -> str:
        classes = self._task.classes
        if isinstance(value, str) and value in classes:
            return value
        known = nearest(str(value), classes)
        raise DataError(f"{where}: the task has no label {value!r}; {known}")


def _reason(record: Record | None) -> str:
    if record is None:
        return "not recorded"
    return "no answer was recorded" if record.answer is None else ""
