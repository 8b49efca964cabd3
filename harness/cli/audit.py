"""``harness audit``: what to know of a task's data before believing a score on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    others = (
        [_named(name, loaded, plugins, folder) for name in against]
        if against
        else _with_data(loaded, plugins, folder)
    )
    shared = [compare_tasks(splits, name, theirs) for name, theirs in others]
    made = replace(audit_task(loaded.card, splits), others=shared)
    if json:
        say(made.to_json())
        return
    from harness.cli.screen.audit import audit_tables

    console().print(audit_tables(made))


def _read(task: Task) -> Mapping[str, Audited]:
    """The splits that the task has.

    Raises:
        DataError: if it has none.
    """
    from harness.audit.data_audit import read_split

    found = {}
    for split in ("train", "validation", "test"):
        pool, gold = task.load(split), task.gold(split)
        if pool is not None and gold is not None and len(pool):
            found[split] = read_split(pool, gold)
    if not found:
        raise DataError(f"task {task.card.name!r} has no examples; nothing can be audited")
    return found


def _named(
    name: str, task: Task, plugins: Plugins, folder: Path | None
) -> tuple[str, Mapping[str, Audited]]:
    """Name and splits of a task that ``--against`` names.

    Raises:
        CommandError: if it is the audited task.
        DataError: if it cannot be read, since the user named it.
    """
    from harness.run.assembly import load_task

    other = load_task(name, plugins, folder)
    if other.card.name == task.card.name:
        raise CommandError(f"--against {name}: is the audited task itself; name another task")
    return other.card.name, _read(other)


def _with_data(
    task: Task, plugins: Plugins, folder: Path | None
) -> Iterator[tuple[str, Mapping[str, Audited]]]:
    """Name and splits of registered tasks of the same kind that have a folder in ``--data``.

    One that cannot be read is left out with a warning, since the user did not name it.
    """
    from harness.run.assembly import load_task

    for name in sorted(plugins.parts("task")):
        folders = [] if folder is None else [folder / name, folder / name.replace("-", "_")]
        if name == task.card.name or not any(one.is_dir() for one in folders):
            continue
        try:
            other = load_task(name, plugins, folder)
            if other.card.kind != task.card.kind:
                continue
            splits = _read(other)
        except HarnessError as error:
            warn(f"not compared with {name}: {error}")
        else:
            yield name, splits
