"""``harness table``: what earlier runs found, put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import OutOption

if TYPE_CHECKING:
    from harness.results import RunResult


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("table")(table)


def table(
    format_: Annotated[
        str, typer.Option("--format", metavar="F", help="rich, markdown, csv, json or a plugin's.")
    ] = "rich",
    rows: Annotated[
        str | None, typer.Option(metavar="K,K", help="What names a row; the rest are its seeds.")
    ] = None,
    metric: Annotated[
        str, typer.Option(metavar="M", help="transductive, inductive, answered, ...")
    ] = "transductive",
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Only this task.")] = None,
    out: OutOption = None,
) -> None:
    """Print the stages of all finished runs, seeds as mean ± standard deviation."""
    from harness.cli.session import RUNS, console, load_plugins, say
    from harness.errors import CommandError, RunError, UnknownNameError
    from harness.record.provenance import outdated
    from harness.report.tables import FORMATS, make_table

    plugins = load_plugins()
    formats = dict(FORMATS)
    formats.update({n: part.factory for n, part in plugins.parts("table_format").items()})
    if format_ != "rich" and format_ not in formats:
        raise UnknownNameError("table format", format_, [*formats, "rich"])
    results = _finished(out or RUNS, task)
    if not results:
        raise RunError(f"{out or RUNS}: holds no finished run; make one with harness run")
    changed = {result.run_id for result in results if outdated(result, plugins)}
    keys = rows.split(",") if rows else None
    made = make_table(results, rows=keys, metric=metric, outdated=changed)
    if format_ == "rich":
        from harness.cli.screen.tables import table_picture

        console().print(table_picture(made))
    else:
        text = formats[format_](made)
        if not isinstance(text, str):
            raise CommandError(f"--format {format_}: the plugin returned no text")
        say(text)


def _finished(out: Path, task: str | None) -> list[RunResult]:
    from harness.cli.session import warn
    from harness.record.listing import list_runs

    results = []
    for run in list_runs(out):
        if run.problem:
            warn(f"left out: {run.problem}")
        elif run.result is not None and task in (None, run.result.task):
            results.append(run.result)
    return results
