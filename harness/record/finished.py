"""A finished run: its configuration, and the records of each round."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.config import Config, load_config
from harness.data import Annotations, BoolArray, IntArray, Pool, Selection, StudentView, merge
from harness.errors import CommandError, DataError, RunError
from harness.protocols import Task
from harness.record import codecs, layout
from harness.record.folder import RunFolder
from harness.results import RunResult, StageResult, load_result


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """Attributes: the folder, its ``result.json`` and its ``config.toml``."""

    folder: RunFolder
    result: RunResult
    config: Config

    @classmethod
    def open(cls, path: Path) -> FinishedRun:
        """Open a run's folder to read it; a ``RunError`` if it is unfinished or damaged."""
        folder = RunFolder(path)
        if not folder.has(layout.RESULT):
            raise RunError(
                f"{path}: this run is not finished; the same harness run command goes on with it"
            )
        config = folder.read(layout.CONFIG, load_config)
        return cls(folder, folder.read(layout.RESULT, load_result), config)

    def stage(self, name: str | None, actor: str | None = None) -> StageResult:
        """A stage by its name (else ``CommandError``); None: the actor's first, or the last."""
        stages = [one for one in self.result.stages if actor in (None, one.actor)]
        if name is None:
            return stages[0] if actor is not None else stages[-1]
        found = [one for one in stages if one.stage == name.upper()]
        if not found:
            which = f"{actor}'s stages" if actor else "stages"
            known = ", ".join(one.stage for one in stages)
            raise CommandError(f"--stage {name}: the {which} of this run are {known}")
        return found[0]

    def annotations(self, round_: int, pool: Pool, task: Task) -> Annotations | None:
        """The annotations of a pool in a round; None where the annotator had none.

        Raises:
            CorruptRunError: if they are damaged, or were removed.
            DataError: if they belong to other examples than those of the pool.
        """
        name = layout.annotations_of(round_, pool.split)
        if not self.folder.recorded(name):
            return None
        classes = task.card.classes

        def read(path: Path) -> Annotations:
            self._check_ids(codecs.read_ids(path), pool)
            return codecs.read_annotations(path, pool, classes)[0]

        return self.folder.read(name, read)

    def _check_ids(self, recorded: list[str], pool: Pool) -> None:
        here = list(pool.ids)
        if recorded != here:
            missing = len(set(recorded) - set(here))
            raise DataError(
                f"{self.folder.path}: was made with other data: {missing} of its {len(recorded)} "
                f"{pool.split} examples are missing here; pass the --data of that run"
            )

    def view(self, round_: int) -> StudentView:
        """The student's view of the pool."""
        return self.folder.read(layout.view(round_), codecs.read_views)[0]["train"]

    def feedback(self, round_: int) -> StudentView:
        """The view of the pool that the selector read: the student's, or an earlier epoch's."""
        views = self.folder.read(layout.view(round_), codecs.read_views)[0]
        return views.get(f"{codecs.EARLIER}train", views["train"])

    def selection(self, round_: int) -> Selection:
        """What the selector decided in a round."""
        return self.folder.read(layout.selection(round_), codecs.SELECTION.read)[0]

    def asked(self, round_: int) -> BoolArray:
        """Whether the annotator was asked about an example in a round: bool ``[n]``."""
        asked = np.zeros(self.result.stages[0].n, dtype=np.bool_)
        rows = requested(self.folder, round_)
        asked[slice(None) if rows is None else rows] = True
        return asked

    def carried(self, round_: int) -> BoolArray:
        """Whether an example's label in a round's annotations is the student's: bool ``[n]``.

        That is, the label was trusted in an earlier round and not requested again since.
        """
        student = np.zeros(self.result.stages[0].n, dtype=np.bool_)
        for earlier in range(round_):
            selection = self.selection(earlier)
            student[selection.trusted] = True
            student[selection.requested] = False
        return student


def own_answers(run: FinishedRun, round_: int, pool: Pool, task: Task) -> Annotations:
    """The annotator's latest answer to each example of its pool, up to a round.

    In the annotations of a round, examples that were trusted before have the student's label.
    """
    found = run.annotations(0, pool, task)
    assert found is not None  # the annotator's stage is the first of a run
    for later in range(1, round_ + 1):
        rows = np.flatnonzero(~run.carried(later))
        answers = run.annotations(later, pool, task)
        assert answers is not None
        found = merge(found, rows, answers.take(rows))
    return found


def requested(folder: RunFolder, round_: int) -> IntArray | None:
    """Rows of the pool that the annotator was asked about in a round, int64; None: all."""
    name = layout.INITIAL if round_ == 0 else layout.selection(round_ - 1)
    if round_ == 0 and not folder.has(name):
        return None
    return folder.read(name, codecs.SELECTION.read)[0].requested


def written_usd(folder: RunFolder) -> float:
    """What the demonstrations cost that the annotator wrote, whichever run paid."""
    if not folder.has(layout.WRITTEN):
        return 0.0
    costs = folder.read_json(layout.WRITTEN)
    answers = costs.get("answers_usd")
    return float(costs["cost_usd"] if answers is None else answers)
