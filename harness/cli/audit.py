"""``harness audit``: what to know of a task's data before believing a score on it."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import DataOption, data_folder, load_plugins
from harness.cli.screen.output import console, note, say, warn


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
    from harness import abilities
    from harness.api.auditing import audit_of
    from harness.run.assembly import load_task

    plugins, folder = load_plugins(), data_folder(data)
    loaded = load_task(task, plugins, folder)
    made = audit_of(loaded, against or (), plugins, folder, warn)
    for line in abilities.notes(loaded):
        note(line)
    if json:
        say(made.to_json())
        return
    from harness.cli.screen.audit import audit_tables

    console().print(audit_tables(made))
