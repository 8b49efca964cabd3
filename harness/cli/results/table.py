"""``harness table``: the results of runs in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import DataOption, OutOption, SpreadsheetOption, data_folder, load_plugins
from harness.cli.screen.output import console, say, warn
from harness.errors import CommandError, HarnessError, RunError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.record.listing import SweepRows
    from harness.report.rows.entries import Entry
    from harness.report.rows.published import Figure
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
    asked = _asked(given)
    made = _made(asked)
    if asked.format_ == "rich":
        from harness.cli.results.drawing import results_table

        screen = console()
        screen.print(results_table(made, screen.width))
        return
    say(_text(made, asked))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options of one table."""

    runs: list[str] | None
    format_: str
    rows: str | None
    columns: str
    stage: str | None
    metric: str
    baseline: str | None
    where: str | None
    task: str | None
    reference: bool
    out: Path | None
    data: Path | None
    spreadsheet: bool


def _asked(given: Mapping[str, Any]) -> _Asked:
    return _Asked(**{key: given[key] for key in _Asked.__annotations__})


def _block(given: Mapping[str, Any]) -> str:
    """A table in a Markdown file, whose format is Markdown where its command names none."""
    asked = _asked(given)
    if asked.format_ == "rich":
        asked = replace(asked, format_="markdown")
    return _text(_made(asked, lasting=True), asked)


def _formats() -> dict[str, Callable[[Table], Any]]:
    from harness.report.formats import FORMATS

    parts = load_plugins().parts("table_format")
    return {**FORMATS, **{name: part.factory for name, part in parts.items()}}


def _text(made: Table, asked: _Asked) -> str:
    from harness.report.formats import for_spreadsheets

    text = _formats()[asked.format_](for_spreadsheets(made) if asked.spreadsheet else made)
    if not isinstance(text, str):
        raise CommandError(f"--format {asked.format_}: the plugin returned no text")
    return text


def _made(asked: _Asked, *, lasting: bool = False) -> Table:
    """The table; a ``lasting`` one, in a file, does not say what today's code is."""
    from harness.record.layout import RUNS
    from harness.report.rows.chosen import chosen
    from harness.report.rows.entries import where
    from harness.report.rows.grouping import Layout, make_table
    from harness.report.rows.published import with_published

    if asked.spreadsheet and asked.format_ != "csv":
        raise CommandError(f"--spreadsheet is for --format csv, not {asked.format_}")
    if asked.format_ != "rich" and asked.format_ not in (formats := _formats()):
        raise UnknownNameError("table format", asked.format_, [*formats, "rich"])
    out = asked.out or RUNS
    entries, sweeps = chosen(asked.runs or [], out, None if lasting else load_plugins(), warn)
    entries = [entry for entry in entries if asked.task in (None, entry.task)]
    if entries and asked.where:
        entries = where(entries, asked.where)
    if not entries:
        said = "no such run" if asked.runs or asked.where or asked.task else "no finished run"
        raise RunError(f"{out}: holds {said}; make one with harness run")
    layout = Layout(
        rows=tuple(asked.rows.split(",")) if asked.rows else (),
        columns=asked.columns,
        stage=asked.stage.upper() if asked.stage else None,
        metric=asked.metric,
        baseline=asked.baseline or _baseline(sweeps, asked),
        labels=tuple(row["label"] for sweep in sweeps for row in sweep.rows),
    )
    made = make_table(entries, layout)
    if asked.reference:
        tasks = sorted({entry.task for entry in entries})
        return with_published(made, _figures(entries, asked.data), tasks)
    return made


def _baseline(sweeps: Sequence[SweepRows], asked: _Asked) -> str | None:
    """A recipe's own, where its rows are the table's."""
    alone = len(sweeps) == 1 and not asked.rows and not asked.where
    return sweeps[0].baseline if alone and asked.columns == "stage" else None


def _figures(entries: Sequence[Entry], data: Path | None) -> list[Figure]:
    """Published figures of the tasks, by their declarations."""
    from harness import abilities
    from harness.report.rows.published import figures
    from harness.run.assembly import load_task

    specs = {entry.task: entry.spec for entry in entries}
    found: list[Figure] = []
    for name, spec in specs.items():
        try:
            task = load_task(spec, load_plugins(), data_folder(data), declaration_only=True)
        except HarnessError as error:
            warn(f"--reference: {name}: {error}")
            continue
        found += figures(name, abilities.declared(task))
    return found
