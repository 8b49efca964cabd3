"""Runs that are recorded: one by its name, all of a folder, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.frame import Frame, Framed
from harness.api.wanted import plugins_with
from harness.metrics import SCORE_NAMES
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.metrics import Score
    from harness.plugin_manager import Plugins
    from harness.record.finished import FinishedRun
    from harness.record.listing import ListedRun
    from harness.report.tables import Table
    from harness.results import RunResult, StageResult


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class RunsTable(Framed):
    """Results of several runs in one table, as ``harness table`` prints them."""

    table: Table

    @property
    def frame(self) -> Frame:
        """The cells as texts."""
        rows = tuple(tuple(row) for row in self.table.texts())
        return Frame(tuple(self.table.header), rows, self.table.title)


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
    """The runs below a folder, of all tasks or of one."""
    from harness.record.listing import list_runs

    found = list_runs(Path(out))
    return Runs(tuple(one for one in found if task in (None, one.path.parent.name)))


def table(
    runs: Sequence[Run] | None = None,
    *,
    rows: Sequence[str] = (),
    columns: str = "stage",
    metric: str = "pool",
    baseline: str | None = None,
    task: str | None = None,
    out: Path | str = RUNS,
    plugins: Plugins | None = None,
) -> RunsTable:
    """The stages of finished runs, seeds as mean ± standard deviation.

    Args:
        runs: which; None: all that are finished below ``out``.
        rows: configuration keys that name a row; empty: those that differ.
        columns: ``stage``, ``task`` or another configuration key.
        metric: ``pool``, ``test``, ``answered``, ``cost_usd``, ...
        baseline: name of the row that the others are compared with.
        task: only this task.
        out: where runs are kept.
        plugins: whose parts made the runs; a run that other code made is marked.

    Raises:
        HarnessError: if there is no run, or a name is wrong.
    """
    from harness.errors import RunError
    from harness.record.folder import RunFolder
    from harness.record.provenance import outdated
    from harness.report.rows.entries import entry_of
    from harness.report.rows.grouping import Layout, make_table

    every = _all(out) if runs is None else runs
    chosen = [one for one in every if task in (None, one.result.task)]
    if not chosen:
        raise RunError(f"{out}: holds no finished run; make one with harness run")
    known = plugins or plugins_with(())
    entries = [
        entry_of(one.result, RunFolder(one.path), other_code=bool(outdated(one.result, known)))
        for one in chosen
    ]
    layout = Layout(rows=tuple(rows), columns=columns, metric=metric, baseline=baseline)
    return RunsTable(make_table(entries, layout))


def _all(out: Path | str) -> tuple[Run, ...]:
    return runs(out=out).finished


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
