"""Runs that are recorded: one by its name, or all of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.frame import Frame, Framed
from harness.metrics import SCORE_NAMES
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.metrics import Score
    from harness.record.finished import FinishedRun
    from harness.record.listing import ListedRun
    from harness.results import RunResult, StageResult


@dataclass(frozen=True)
class Run(Framed):
    """A finished run.

    Attributes:
        result: ``result.json``.
        path: the run's folder.
        notes: what the user should know, one line each; of a run that was loaded: none.
    """

    result: RunResult
    path: Path
    notes: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """The name of its folder."""
        return self.result.run_id

    @property
    def stages(self) -> Sequence[StageResult]:
        """What each actor reached in each round."""
        return self.result.stages

    @property
    def records(self) -> FinishedRun:
        """Its annotations, views and selections."""
        from harness.record.finished import FinishedRun

        return FinishedRun.open(self.path)

    @property
    def frame(self) -> Frame:
        """One row a stage; scores in [0, 1], None where there is none."""
        metric = SCORE_NAMES[self.result.metric]
        title = f"{self.result.task}: {self.run_id}, {metric}"
        return Frame.of([_stage(stage) for stage in self.stages], title)


@dataclass(frozen=True)
class Runs(Framed, Sequence["Run"]):
    """The finished runs of a folder, in the order of their names; ``listed`` has all of them."""

    listed: tuple[ListedRun, ...]

    @property
    def finished(self) -> tuple[Run, ...]:
        """Those with a result."""
        return tuple(Run(one.result, one.path) for one in self.listed if one.result is not None)

    def __len__(self) -> int:
        return len(self.finished)

    def __getitem__(self, position: Any) -> Any:
        return self.finished[position]

    @property
    def frame(self) -> Frame:
        """One row a run, finished or not."""
        rows = [
            {
                "run_id": one.path.name,
                "task": one.path.parent.name,
                "state": one.state,
                "stages": len(one.stages),
                "pool": _score(one.stages[-1].transductive) if one.stages else None,
                "test": _score(one.stages[-1].inductive) if one.stages else None,
            }
            for one in self.listed
        ]
        return Frame.of(rows, "runs")


def load_run(run: str | Path, *, out: Path | str = RUNS) -> Run:
    """A finished run by its id below ``out``, or by its folder.

    Raises:
        CommandError: if there is no such run.
        RunError: if it is unfinished or damaged.
    """
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_run

    found = FinishedRun.open(find_run(str(run), Path(out)))
    return Run(found.result, found.folder.path)


def runs(*, out: Path | str = RUNS, task: str | None = None) -> Runs:
    """The runs below a folder, of all tasks or of one; ``harness runs`` calls this."""
    from harness.record.listing import list_runs

    found = list_runs(Path(out))
    return Runs(tuple(one for one in found if task in (None, one.path.parent.name)))


def _stage(stage: StageResult) -> dict[str, Any]:
    chosen = stage.selection
    return {
        "stage": stage.stage,
        "round": stage.round,
        "actor": stage.actor,
        "n": stage.n,
        "abstained": stage.abstained,
        "pool": _score(stage.transductive),
        "test": _score(stage.inductive),
        "trusted": None if chosen is None else chosen.trusted,
        "trusted_precision": None if chosen is None else chosen.trusted_precision,
        "demonstrations": None if chosen is None else chosen.demonstrations,
        "requests": stage.requests,
        "tokens": stage.tokens,
        "cost_usd": stage.cost_usd,
        "answers_usd": stage.answers_usd,
        "seconds": stage.seconds,
    }


def _score(score: Score | None) -> float | None:
    return None if score is None else score.score
