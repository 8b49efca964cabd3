"""``harness table``: the results of runs in one table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import DataOption, OutOption, SpreadsheetOption, load_plugins
from harness.cli.screen.output import console, say, warn
from harness.errors import CommandError, UnknownNameError
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.report.tables import Table


def table(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|RECIPE]...",
            help="Sweeps by their recipes, or runs by any part of their ids (all runs).",
        ),
    ] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format", metavar="F", help="rich, markdown, latex, csv, json or a plugin's."
        ),
    ] = "rich",
    rows: Annotated[
        str | None,
        typer.Option(metavar="K,K", help="Configuration keys that name a row (those that differ)."),
    ] = None,
    columns: Annotated[
        str, typer.Option(metavar="K", help="stage, task, or another configuration key.")
    ] = "stage",
    stage: Annotated[
        str | None, typer.Option(metavar="RN", help="One stage alone (all, or the last).")
    ] = None,
    metric: Annotated[
        str, typer.Option(metavar="M", help="pool, test, answered, cost_usd, ...")
    ] = "pool",
    baseline: Annotated[
        str | None,
        typer.Option(metavar="ROW", help="The row that others are compared with (the recipe's)."),
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="K=V,K=V", help="Only such runs: student=tfidf,seed=0-2.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Only this task.")] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Also show published figures, marked.")
    ] = False,
    update: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.md",
            help="Rewrite the file's blocks between <!-- harness table ARGS --> and <!-- end -->.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="With --update: change nothing; exit 1 if it would.")
    ] = False,
    out: OutOption = None,
    data: DataOption = None,
    spreadsheet: SpreadsheetOption = False,
) -> None:
    """Show runs in one table: mean ± sample deviation over seeds, differences from a baseline.

    Differences are paired by example and seed; bold marks those with p < 0.05 (Holm over the
    table). A stopped run shows its recorded stages.
    """
    given = dict(locals())
    if update is not None:
        from harness.cli.results.table_blocks import update_file

        update_file(update, table, given, _block, check=check)
        return
    if check:
        raise CommandError("--check is for --update FILE")
    made = _made(given, format_)
    if format_ == "rich":
        from harness.cli.results.drawing import results_table

        screen = console()
        screen.print(results_table(made, screen.width))
        return
    say(_text(made, format_, spreadsheet=spreadsheet))


PASSED = ("columns", "stage", "metric", "baseline", "where", "task", "reference", "data")
"""Options that are arguments of the function of the same name."""


def _block(given: Mapping[str, Any]) -> str:
    """A table in a Markdown file, whose format is Markdown where its command names none."""
    format_ = "markdown" if given["format_"] == "rich" else given["format_"]
    made = _made(given, format_, lasting=True)
    return _text(made, format_, spreadsheet=given["spreadsheet"])


def _made(given: Mapping[str, Any], format_: str, *, lasting: bool = False) -> Table:
    """The table; a ``lasting`` one, in a file, does not say what today's code is."""
    from harness.api.tables_of_runs import table as table_of

    if given["spreadsheet"] and format_ != "csv":
        raise CommandError(f"--spreadsheet is for --format csv, not {format_}")
    if format_ != "rich" and format_ not in (formats := _formats()):
        raise UnknownNameError("table format", format_, [*formats, "rich"])
    return table_of(
        given["runs"] or None,
        **{key: given[key] for key in PASSED},
        rows=given["rows"].split(",") if given["rows"] else (),
        out=given["out"] or RUNS,
        plugins=load_plugins(),
        other_code=not lasting,
        warn=warn,
    ).table


def _formats() -> dict[str, Callable[[Table], Any]]:
    from harness.report.formats import FORMATS

    parts = load_plugins().parts("table_format")
    return {**FORMATS, **{name: part.factory for name, part in parts.items()}}


def _text(made: Table, format_: str, *, spreadsheet: bool) -> str:
    from harness.report.formats import for_spreadsheets

    text = _formats()[format_](for_spreadsheets(made) if spreadsheet else made)
    if not isinstance(text, str):
        raise CommandError(f"--format {format_}: the plugin returned no text")
    return text
