"""``harness audit``: what to know of a task's data before believing a score on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import DataOption, data_folder, load_plugins
from harness.cli.screen.output import console, note, say, warn
from harness.errors import CommandError, DataError, HarnessError

if TYPE_CHECKING:
    from harness.audit.data_audit import Audited
    from harness.plugin_manager import Plugins
    from harness.protocols import Task


def audit(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task, or a TOML file.")],
    data: DataOption = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK",
            help="Another task to compare with; unset: those of its kind that --data holds.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON and nothing else.")
    ] = False,
) -> None:
    """Repeated texts, conflicting labels, leaks from test to train, balance, lengths.

    Also what the task shares with other tasks: a student must not train on one and be tested on
    the other. The audit reads gold labels; no part of a run sees any.
    """
    from dataclasses import replace

    from harness import abilities
    from harness.audit.data_audit import audit_task, compare_tasks
    from harness.run.assembly import load_task

    plugins = load_plugins()
    folder = data_folder(data)
    loaded = load_task(task, plugins, folder)
    splits = _read(loaded)
    for line in abilities.notes(loaded):
        note(line)
    others = _others(loaded, against or (), plugins, folder)
    shared = [compare_tasks(splits, name, theirs) for name, theirs in others]
    made = replace(audit_task(loaded.card, splits), others=shared)
    if json:
        say(made.to_json())
        return
    from harness.cli.screen.audit import audit_tables

    console().print(audit_tables(made))


def _read(task: Task) -> Mapping[str, Audited]:
    """The splits of a task; a ``DataError`` if it has none."""
    from harness.audit.data_audit import read_split
    from harness.data import Gold

    found = {}
    for split in ("train", "validation", "test"):
        pool = task.load(split)
        if pool is not None and len(pool):
            found[split] = read_split(pool, task.gold(split) or Gold.none_of(pool))
    if not found:
        raise DataError(f"task {task.card.name!r} has no examples; nothing can be audited")
    return found


def _others(
    task: Task, names: Sequence[str], plugins: Plugins, folder: Path | None
) -> Iterator[tuple[str, Mapping[str, Audited]]]:
    """Name and splits of the tasks that ``--against`` names, else of those with data.

    These are registered tasks of the same kind with a folder in ``--data``. One that cannot be
    read is left out with a warning; one that the user names is an error.
    """
    from harness.run.assembly import load_task

    for name in names:
        other = load_task(name, plugins, folder)
        if other.card.name == task.card.name:
            raise CommandError(f"--against {name}: is the audited task itself; name another task")
        yield other.card.name, _read(other)
    if names or folder is None:
        return
    for name in sorted(plugins.parts("task")):
        folders = (folder / name, folder / name.replace("-", "_"))
        if name == task.card.name or not any(one.is_dir() for one in folders):
            continue
        try:
            other = load_task(name, plugins, folder)
            if other.card.kind == task.card.kind:
                yield name, _read(other)
        except HarnessError as error:
            warn(f"not compared with {name}: {error}")
