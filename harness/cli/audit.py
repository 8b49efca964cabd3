"""``harness audit``: what to know of a task's data before believing a score on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.audit.data_audit import Audited
    from harness.plugin_manager import Plugins
    from harness.protocols import Task


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit")(audit)


def audit(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task, or a TOML file.")],
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of data.")] = None,
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

    Also what the task shares with other tasks: a student must not learn from one and be
    tested on the other. Gold labels are read; no part of a run sees any.
    """
    from dataclasses import replace

    from harness import abilities
    from harness.audit.data_audit import audit_task, compare_tasks
    from harness.cli.session import data_folder, load_plugins, note
    from harness.run.assembly import load_task

    plugins = load_plugins()
    folder = data_folder(data)
    loaded = load_task(task, plugins, folder)
    splits = _read(loaded)
    for said in abilities.notes(loaded):
        note(said)
    others = (
        [_named(name, loaded, plugins, folder) for name in against]
        if against
        else _with_data(loaded, plugins, folder)
    )
    shared = [compare_tasks(splits, name, theirs) for name, theirs in others]
    made = replace(audit_task(loaded.card, splits), others=shared)
    if json:
        from harness.cli.session import say

        say(made.to_json())
        return
    from harness.cli.screen.audit import audit_picture
    from harness.cli.session import console

    console().print(audit_picture(made))


def _read(task: Task) -> Mapping[str, Audited]:
    """The splits that the task has.

    Raises:
        DataError: if it has none.
    """
    from harness.audit.data_audit import read_split
    from harness.data import Gold
    from harness.errors import DataError

    found = {}
    for split in ("train", "validation", "test"):
        pool = task.load(split)
        if pool is not None and len(pool):
            found[split] = read_split(pool, task.gold(split) or Gold.none_of(pool))
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
    from harness.errors import CommandError
    from harness.run.assembly import load_task

    other = load_task(name, plugins, folder)
    if other.card.name == task.card.name:
        raise CommandError(
            f"--against {name}: is the audited task itself, which shares all of its texts; "
            "name another task"
        )
    return other.card.name, _read(other)


def _with_data(
    task: Task, plugins: Plugins, folder: Path | None
) -> Iterator[tuple[str, Mapping[str, Audited]]]:
    """Name and splits of registered tasks of the same kind that have a folder in ``--data``.

    Nobody named them: one that cannot be read is left out with a warning.
    """
    from harness.cli.session import warn
    from harness.errors import HarnessError
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
