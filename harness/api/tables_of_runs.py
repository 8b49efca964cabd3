"""``table``: the results of runs in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.finished_runs import Run
from harness.api.frame import Frame, Framed
from harness.api.wanted import data_folder, plugins_with
from harness.errors import HarnessError, RunError
from harness.plugin_manager import Plugins
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.report.rows.entries import Entry
    from harness.report.rows.published import Figure
    from harness.report.tables import Table


@dataclass(frozen=True)
class RunsTable(Framed):
    """Results of several runs in one table; ``notes`` name what it leaves out."""

    table: Table
    notes: tuple[str, ...] = ()

    @property
    def frame(self) -> Frame:
        """The cells as texts, with the marks' legend and the other lines below the table."""
        rows = tuple(tuple(row) for row in self.table.texts())
        return Frame(tuple(self.table.header), rows, self.table.title, self.table.notes)


def table(
    runs: Run | str | Sequence[Run | str] | None = None,
    *,
    rows: str | Sequence[str] = (),
    columns: str = "stage",
    stage: str | None = None,
    metric: str = "pool",
    baseline: str | None = None,
    where: str | None = None,
    task: str | None = None,
    reference: bool = False,
    data: Path | str | None = None,
    out: Path | str = RUNS,
    plugins: Plugins | Sequence[object] = (),
    other_code: bool = True,
    warn: Callable[[str], None] | None = None,
) -> RunsTable:
    """The stages of runs, seeds as mean ± standard deviation; ``harness table`` calls this.

    Args:
        runs: one or several, also by any part of their ids, or sweeps by their recipes; None: all
            below ``out``. A stopped run has the stages that it recorded.
        rows: configuration keys, or one, that name a row; empty: those that differ.
        columns: ``stage``, ``task`` or another configuration key.
        stage: one stage alone.
        metric: ``pool``, ``test``, ``answered``, ``cost_usd``, ...
        baseline: name of the row that the others are compared with; None: the recipe's.
        where: only such runs, ``"student=tfidf,seed=0-2"``.
        task: only this task.
        reference: also published figures of the tasks, whose declarations may need ``data``.
        out: where runs are kept.
        plugins: whose parts made the runs.
        other_code: mark a run that was made by other code than that of ``plugins``.
        warn: hears of runs that are left out, even where an error follows; None: ``notes`` do.

    Raises:
        HarnessError: if there is no run, or a name is wrong.
    """
    from harness.report.rows.chosen import chosen
    from harness.report.rows.grouping import Layout, make_table
    from harness.report.rows.published import with_published

    notes: list[str] = []
    known = plugins if isinstance(plugins, Plugins) else plugins_with(plugins)
    runs = [runs] if isinstance(runs, Run | str) else runs
    rows = [rows] if isinstance(rows, str) else rows
    names = None if runs is None else [one.path if isinstance(one, Run) else one for one in runs]
    every, sweeps = chosen(names, Path(out), known if other_code else None, warn or notes.append)
    entries = _those(every, task, where, runs, out)
    if baseline is None and len(sweeps) == 1 and not rows and not where and columns == "stage":
        baseline = sweeps[0].baseline
    layout = Layout(
        rows=tuple(rows),
        columns=columns,
        stage=stage.upper() if stage else None,
        metric=metric,
        stages=sweeps[0].stages if len(sweeps) == 1 else (),
        baseline=baseline,
        labels=tuple(row["label"] for sweep in sweeps for row in sweep.rows),
    )
    made = make_table(entries, layout)
    if reference:
        tasks = sorted({entry.task for entry in entries})
        found = _figures(entries, known, data, warn or notes.append)
        made = with_published(made, found, tasks)
    return RunsTable(made, tuple(notes))


def _those(
    entries: list[Entry],
    task: str | None,
    where: str | None,
    runs: Sequence[Run | str] | None,
    out: Path | str,
) -> list[Entry]:
    """The runs of a task that ``where`` leaves; a ``RunError`` where there is none."""
    from harness.report.rows.entries import where as among

    found = [entry for entry in entries if task in (None, entry.task)]
    if found and where:
        found = among(found, where)
    if not found:
        said = "no such run" if runs is not None or where or task else "no finished run"
        raise RunError(f"{out}: holds {said}; make one with harness run")
    return found


def _figures(
    entries: Sequence[Entry],
    plugins: Plugins,
    data: Path | str | None,
    warn: Callable[[str], None],
) -> list[Figure]:
    """Published figures of the tasks, by their declarations."""
    from harness import abilities
    from harness.report.rows.published import figures
    from harness.run.assembly import load_task

    found: list[Figure] = []
    for name, spec in {entry.task: entry.spec for entry in entries}.items():
        try:
            task = load_task(spec, plugins, data_folder(data), declaration_only=True)
        except HarnessError as error:
            warn(f"--reference: {name}: {error}")
            continue
        found += figures(name, abilities.declared(task))
    return found
