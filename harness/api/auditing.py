"""What ``harness audit`` prints: figures of a task's data, what other tasks share with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.audit.data_audit import Audited, TaskAudit, audit_task, compare_tasks, read_split
from harness.data import Gold
from harness.errors import CommandError, DataError, HarnessError
from harness.plugin_manager import Plugins
from harness.protocols import Task
from harness.run.assembly import load_task


def audit_of(
    task: Task,
    against: Sequence[str],
    plugins: Plugins,
    data: Path | None,
    warn: Callable[[str], None],
) -> TaskAudit:
    """Audit a task's splits, and compare them with those of other tasks.

    Args:
        task: the audited one.
        against: names of other tasks; none: the registered ones of its kind that ``data`` holds.
        plugins: where tasks are found.
        data: the folder of data sets.
        warn: hears of tasks that ``against`` does not name and that cannot be read.

    Raises:
        HarnessError: if the task, or one of ``against``, has no examples or cannot be read.
    """
    splits = _read(task)
    others = _named(task, against, plugins, data) if against else _beside(task, plugins, data, warn)
    shared = [compare_tasks(splits, name, theirs) for name, theirs in others]
    return replace(audit_task(task.card, splits), others=shared)


def _read(task: Task) -> Mapping[str, Audited]:
    found = {}
    for split in ("train", "validation", "test"):
        pool = task.load(split)
        if pool is not None and len(pool):
            found[split] = read_split(pool, task.gold(split) or Gold.none_of(pool))
    if not found:
        raise DataError(f"task {task.card.name!r} has no examples; nothing can be audited")
    return found


Others = Iterator[tuple[str, Mapping[str, Audited]]]
"""Names of other tasks with their splits."""


def _named(task: Task, names: Sequence[str], plugins: Plugins, data: Path | None) -> Others:
    for name in names:
        other = load_task(name, plugins, data)
        if other.card.name == task.card.name:
            raise CommandError(f"--against {name}: is the audited task itself; name another task")
        yield other.card.name, _read(other)


def _beside(task: Task, plugins: Plugins, data: Path | None, warn: Callable[[str], None]) -> Others:
    for name in sorted(plugins.parts("task")):
        folders = [] if data is None else [data / name, data / name.replace("-", "_")]
        if name == task.card.name or not any(one.is_dir() for one in folders):
            continue
        try:
            other = load_task(name, plugins, data)
            if other.card.kind == task.card.kind:
                yield name, _read(other)
        except HarnessError as error:
            warn(f"not compared with {name}: {error}")
