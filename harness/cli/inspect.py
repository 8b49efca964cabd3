"""``harness list``, ``show``, ``plugins``, ``doctor``: what there is, and whether it works."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of data.")]


class Kind(StrEnum):
    """What can be listed."""

    annotators = "annotators"
    services = "services"
    students = "students"
    selectors = "selectors"
    augmenters = "augmenters"
    tasks = "tasks"


class Shown(StrEnum):
    """What can be shown."""

    annotator = "annotator"
    service = "service"
    student = "student"
    selector = "selector"
    augmenter = "augmenter"
    task = "task"
    run = "run"
    config = "config"
    prompt = "prompt"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_parts)
    app.command("show")(show)
    app.command("plugins")(plugins)
    app.command("doctor")(doctor)


def list_parts(
    kind: Annotated[Kind | None, typer.Argument(help="One kind of part; all if left out.")] = None,
) -> None:
    """List the names of parts, with one line on each."""
    from harness.cli.session import load_plugins
    from harness.cli.show import print_parts

    found = load_plugins()
    for one in [kind] if kind else list(Kind):
        print_parts(found, one.value)


def show(
    kind: Annotated[Shown, typer.Argument(help="What to show.")],
    name: Annotated[str, typer.Argument(help="Its name; for a run, its id or folder.")] = "",
    data: DataOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where runs are kept.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="A TOML file (config, prompt).")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="One key (config, prompt).")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", metavar="SPEC", help="Whose prompt to show.")
    ] = None,
    annotator: Annotated[
        str | None, typer.Option("--annotator", metavar="SPEC", help="Who would be asked (prompt).")
    ] = None,
    example: Annotated[
        int, typer.Option("--example", metavar="N", min=1, help="Which example (prompt).")
    ] = 1,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object (prompt).")] = False,
) -> None:
    """Show one part, task or run, the configuration with its defaults, or a prompt."""
    from harness.cli import show
    from harness.cli.session import RUNS, data_folder, load_plugins

    if kind in (Shown.config, Shown.prompt):
        from harness.cli.show_prompt import print_prompt
        from harness.config import load_config

        found = load_plugins()
        options = {"task": task or name or None, "annotator.spec": annotator}
        wanted = load_config(config, set_ or (), options, found.keys())
        if kind is Shown.config:
            show.print_config(wanted, found)
            return
        print_prompt(wanted, found, data_folder(data), example, as_json=json)
        return
    if not name:
        from harness.errors import CommandError

        raise CommandError(f"harness show {kind.value} needs a name")
    if kind is Shown.run:
        show.print_run(name, out or RUNS)
        return
    found = load_plugins()
    if kind is Shown.task:
        show.print_task(name, found, data_folder(data))
    else:
        show.print_part(kind.value, name, found)


def plugins() -> None:
    """List plugins with the hooks that they implement, and what is wrong with any."""
    from harness.cli.session import load_plugins
    from harness.cli.show import print_plugins

    print_plugins(load_plugins())


def doctor() -> None:
    """Check this installation: versions, device, packaged encoder, folders, plugins."""
    from harness.cli.doctor import examine
    from harness.cli.session import hanging, load_plugins

    problems = 0
    for check in examine(load_plugins()):
        problems += not check.good
        hanging(f"{'ok  ' if check.good else 'BAD '} {check.name}: ", check.finding)
    if problems:
        raise typer.Exit(1)
