"""``harness table``: the results of finished runs in one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import OutOption, SpreadsheetOption, load_plugins
from harness.cli.screen.output import console, say, warn
from harness.errors import CommandError, RunError, UnknownNameError

if TYPE_CHECKING:
    from harness.results import RunResult


def table(
    format_: Annotated[
        str,
        typer.Option(
            "--format", metavar="F", help="rich, markdown, latex, csv, json or a plugin's."
        ),
    ] = "rich",
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="K,K",
            help="Configuration keys that make a row; runs that differ only in the seed are "
            "averaged.",
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option(metavar="M", help="transductive, inductive, answered, ...")
    ] = "transductive",
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Only this task.")] = None,
    out: OutOption = None,
    spreadsheet: SpreadsheetOption = False,
) -> None:
    """Print the stages of all finished runs, seeds as mean ± standard deviation."""
    from harness.record.layout import RUNS
    from harness.record.provenance import outdated
    from harness.report.tables import FORMATS, for_spreadsheets, make_table

    if spreadsheet and format_ != "csv":
        raise CommandError(f"--spreadsheet is for --format csv, not {format_}")
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
        from harness.cli.screen.tables import results_table

        console().print(results_table(made))
        return
    text = formats[format_](for_spreadsheets(made) if spreadsheet else made)
    if not isinstance(text, str):
        raise CommandError(f"--format {format_}: the plugin returned no text")
    say(text)


def _finished(out: Path, task: str | None) -> list[RunResult]:
    from harness.record.listing import list_runs

    results = []
    for run in list_runs(out):
        if run.problem:
            warn(f"left out: {run.problem}")
        elif run.result is not None and task in (None, run.result.task):
            results.append(run.result)
    return results
