"""From run folders to what a page is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import abilities
from harness.errors import CommandError, CorruptRunError, HarnessError, RunError, nearest
from harness.plugin_manager import Plugins
from harness.protocols import Task
from harness.record import layout
from harness.record.finished import FinishedRun
from harness.record.listing import find_run, list_runs
from harness.report.page.arms import Arm, Kept, arms_of, settings_of
from harness.report.page.document import TaskPart
from harness.report.page.inside import Inside, look_inside
from harness.results import read_json
from harness.run.assembly import load_task


@dataclass(frozen=True, slots=True)
class Chosen:
    """The runs of a page; those of a sweep have its labels, and its baseline."""

    runs: Sequence[Kept]
    labels: Mapping[str, str] = field(default_factory=dict)
    baseline: str | None = None


def chosen(
    names: Sequence[str], task: str | None, out: Path, warn: Callable[[str], None]
) -> Chosen:
    """The finished runs that a command names: all below ``out``, single ones, or a sweep's.

    Args:
        names: of runs (their ids or folders) and sweeps; none: all runs.
        task: only its runs; None: of all tasks.
        out: where runs are kept.
        warn: of runs that cannot be read.

    Raises:
        CommandError: for a name that nothing has.
        RunError: if no run is finished.
    """
    sweeps = [_sweep(layout.sweep_file(out, name)) for name in names if _is_sweep(name, out)]
    paths = [find_run(name, out) for name in names if not _is_sweep(name, out)]
    paths += [out / one for sweep in sweeps for one in sweep.paths]
    found = [_opened(path) for path in paths if paths] if names else _all(out, warn)
    runs = [one for one in found if one is not None and task in (None, one.result.task)]
    if not runs:
        of = f" of task {task!r}" if task else ""
        raise RunError(f"{out}: holds no finished run{of} to report; make one with harness run")
    labels = {run: label for sweep in sweeps for run, label in sweep.labels.items()}
    baseline = next((sweep.baseline for sweep in sweeps if sweep.baseline), None)
    return Chosen(runs, labels, baseline)


def parts_of(of: Chosen, baseline: str | None) -> list[TaskPart]:
    """The methods of each task, and which is the baseline of the others.

    Without a name it is the sweep's, else the one whose settings most methods have.

    Raises:
        CommandError: if no method has the name.
    """
    tasks: dict[str, list[Kept]] = {}
    for run in of.runs:
        tasks.setdefault(run.result.task, []).append(run)
    made = {task: arms_of(runs, of.labels) for task, runs in tasks.items()}
    names = [arm.name for arms in made.values() for arm in arms]
    if baseline is not None and baseline not in names:
        raise CommandError(f"--baseline {baseline!r}: {nearest(baseline, names)}")
    wanted = baseline or of.baseline
    return [
        TaskPart(task, arms, next((a for a in arms if a.name == wanted), None) or _usual(arms))
        for task, arms in made.items()
    ]


def inside_of(run: Kept, plugins: Plugins, data: Path | None) -> tuple[Inside | None, str]:
    """A run example by example, and a remark; None with the reason where that cannot be."""
    try:
        opened = FinishedRun.open(run.path)
        task = _task_with_data(opened, plugins, data)
        if task is not None:
            found = look_inside(opened, task, has_texts=True)
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


@dataclass(frozen=True, slots=True)
class _Sweep:
    paths: Sequence[str]
    labels: Mapping[str, str]
    baseline: str | None


def _is_sweep(name: str, out: Path) -> bool:
    return "/" not in name and layout.sweep_file(out, name).is_file()


def _sweep(file: Path) -> _Sweep:
    values = read_json(file)
    runs = [(path, row["label"]) for row in values["rows"] for path in row["runs"].values()]
    labels = {path.rpartition("/")[2]: label for path, label in runs}
    return _Sweep([path for path, _ in runs], labels, values["baseline"])


def _opened(path: Path) -> Kept | None:
    """A run by name must be finished; of a sweep, those that are not are left out."""
    if not (path / layout.RESULT).exists():
        return None
    return Kept(FinishedRun.open(path).result, path)


def _all(out: Path, warn: Callable[[str], None]) -> list[Kept | None]:
    found: list[Kept | None] = []
    for run in list_runs(out):
        if run.problem:
            warn(f"left out: {run.problem}")
        elif run.result is not None:
            found.append(Kept(run.result, run.path))
    return found


def _usual(arms: Sequence[Arm]) -> Arm:
    """The method from which the others depart in fewest settings; of equals the first made."""
    settings = [settings_of(arm.first) for arm in arms]
    common = Counter(item for of in settings for item in of.items())
    shared = [sum(common[item] for item in of.items()) for of in settings]
    equals = [arm for arm, n in zip(arms, shared, strict=True) if n == max(shared)]
    return equals[0] if len(equals) == 1 else min(equals, key=lambda arm: _begun(arm.runs[0].path))


def _begun(path: Path) -> str:
    """When a run began, as text that sorts; none where the manifest is gone."""
    try:
        return str(read_json(path / layout.MANIFEST).get("begun", ""))
    except (HarnessError, OSError, ValueError):
        return ""
