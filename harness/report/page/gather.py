"""From the runs that are asked for to what a page is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness import abilities
from harness.errors import CommandError, CorruptRunError, HarnessError, RunError, nearest
from harness.plugin_manager import Plugins
from harness.protocols import Task
from harness.record import layout
from harness.record.finished import FinishedRun
from harness.report.page.arms import Arm, arms_of
from harness.report.page.inside import Inside, look_inside
from harness.report.page.overview import Overview
from harness.report.page.prompts import prompts_of
from harness.report.page.scores import Scores
from harness.report.rows.chosen import chosen
from harness.report.rows.entries import Entry
from harness.report.rows.naming import IGNORED
from harness.run.assembly import load_task


def parts_of(
    names: Sequence[str],
    out: Path,
    plugins: Plugins,
    warn: Callable[[str], None],
    *,
    task: str | None,
    baseline: str | None,
) -> list[Overview]:
    """The methods of each task among the runs of ``chosen``, with the baseline of each.

    Args:
        names, out, plugins, warn: which runs, as of ``chosen``; unfinished ones are left out.
        task: only its runs; None: of all tasks.
        baseline: a method; None: the sweep's, else the one whose settings most methods have.

    Raises:
        CommandError: for a name that nothing has.
        RunError: if no run is finished.
    """
    entries, sweeps = chosen(names or None, out, plugins, warn)
    tasks: dict[str, list[Entry]] = {}
    labelled = {path_of(one) for one in entries if one.label}
    for one in entries:
        if names and one.result is None and not one.label:
            warn(f"left out: {path_of(one)}: this run is not finished")
        elif one.result is None or task not in (None, one.task):
            continue
        elif one.label or path_of(one) not in labelled:
            tasks.setdefault(one.task, []).append(one)
    if not tasks:
        of = f" of task {task!r}" if task else ""
        raise RunError(f"{out}: holds no finished run{of} to report; make one with harness run")
    made = [arms_of(runs) for runs in tasks.values()]
    known = [arm.name for arms in made for arm in arms]
    if baseline is not None and baseline not in known:
        raise CommandError(f"--baseline {baseline!r}: {nearest(baseline, known)}")
    wanted = baseline or next((one.baseline for one in sweeps if one.baseline), None)
    return [
        Overview(Scores(arms), next((a for a in arms if a.name == wanted), None) or _usual(arms))
        for arms in made
    ]


def path_of(run: Entry) -> Path:
    """The folder of a run that was read from one."""
    if run.folder is None:
        raise RunError(f"a run of {run.task} has no folder")
    return run.folder.path


def inside_of(run: Entry, plugins: Plugins, data: Path | None) -> tuple[Inside | None, str]:
    """A run example by example, and a remark; None with the reason where that cannot be."""
    try:
        opened = FinishedRun.open(path_of(run))
        task = _task_with_data(opened, plugins, data)
        if task is not None:
            found = look_inside(opened, task, has_texts=True)
            found = replace(found, prompts=prompts_of(opened, task, found.pool, plugins))
            note = f"The examples of its pool, seed {run.seed}; --examples RUN shows another run."
            return found, note
        task = load_task(opened.config.task, plugins, None, declaration_only=True)
        found = look_inside(opened, task, has_texts=False)
    except CorruptRunError:
        raise
    except HarnessError as error:
        return None, f"No run can be shown example by example: {error}"
    return found, "Without texts and gold labels: the data is not at hand (--data DIR)."


def _task_with_data(run: FinishedRun, plugins: Plugins, data: Path | None) -> Task | None:
    """The run's task with its data; None without ``data`` where that is not on this machine."""
    try:
        task = load_task(run.config.task, plugins, data)
        if abilities.at_hand(task) and task.load("train") is not None:
            return task
    except HarnessError:
        if data is not None:
            raise
    return None


def _usual(arms: Sequence[Arm]) -> Arm:
    """The method from which the others depart in fewest settings; of equals the first made."""
    settings = [set(arm.runs[0].keys.items()) for arm in arms]
    common = Counter(item for of in settings for item in of if item[0] not in IGNORED)
    shared = [sum(common[item] for item in of) for of in settings]
    equals = [arm for arm, n in zip(arms, shared, strict=True) if n == max(shared)]
    return equals[0] if len(equals) == 1 else min(equals, key=lambda arm: _begun(arm.runs[0]))


def _begun(run: Entry) -> str:
    """When a run began, as text that sorts; none where the manifest is gone."""
    try:
        return str(run.folder.read_json(layout.MANIFEST).get("begun", "")) if run.folder else ""
    except (HarnessError, OSError, ValueError):
        return ""
