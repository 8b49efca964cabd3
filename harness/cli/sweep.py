"""``harness sweep``: a recipe, or a file of one's own, as a grid of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import (
    RunOptions,
    data_folder,
    load_plugins,
    plugin_choice,
    with_run_options,
)
from harness.cli.screen.output import console, say

if TYPE_CHECKING:
    from harness.record.finished import FinishedRun
    from harness.report.sweep_table import SweepTable
    from harness.sweep.grid import Fixed
    from harness.sweep.sweeping import Sweep


@with_run_options
def sweep(
    options: RunOptions,
    recipe: Annotated[str, typer.Argument(help="A recipe (harness list recipes), or FILE.toml.")],
    seeds: Annotated[
        str | None, typer.Option(metavar="0-4", help="Seeds of each row: 0-4, or 0,2,5.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, help="Runs at a time; they share the cores.")
    ] = 1,
    on: Annotated[
        str | None,
        typer.Option(metavar="ray[:ADDRESS]", help="The runs as Ray tasks, here or on a cluster."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables as Markdown and nothing else.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the sweep as JSON and nothing else.")
    ] = False,
) -> None:
    """Do the runs of a recipe, each row with each seed, and print its table.

    Options say what all runs have in common; what a row itself sets comes first. Steps that runs
    share are done once. A run that fails stops no other, is tried once more at the end and named;
    then the exit code is 1. The same command goes on with what is missing. --budget-usd holds for
    all runs together. --on ray:ADDRESS,cpus=4,gpus=1 gives each run so many CPUs and GPUs of the
    cluster, whose nodes share the folders of --out and --data.
    """
    from harness.sweep import sweeping
    from harness.sweep.jobs import Crew

    fixed, crew = fixed_of(options), Crew(jobs, plugin_choice())
    with _watching(recipe, quiet=json or markdown) as watcher:
        done = sweeping.sweep(
            recipe, wanted_seeds(options, seeds), fixed, load_plugins(), crew, watcher, on
        )
    tables = _tables(done)
    if json:
        say(_as_json(done, tables))
    elif markdown:
        from harness.report.sweep_table import markdown as as_markdown

        say(as_markdown(done.name, tables).rstrip())
    else:
        from harness.cli.results.drawing import sweep_picture
        from harness.cli.screen.sweep import print_states

        screen = console()
        for table in tables:
            screen.print(sweep_picture(table, done.name, screen.width))
        print_states(screen, done.each)
    if done.unfinished:
        _fail(done)


def fixed_of(options: RunOptions) -> Fixed:
    """What all runs have in common."""
    from harness.sweep.grid import Fixed

    return Fixed(
        options.config, options.settings, options.values, data_folder(options.data), options.out
    )


def wanted_seeds(options: RunOptions, seeds: str | None) -> Sequence[int]:
    """Those of ``--seeds``, or else of ``--seed``."""
    from harness.sweep.recipes import seeds_of

    return seeds_of(seeds) if seeds is not None else [options.values.get("seed") or 0]


def _watching(name: str, *, quiet: bool) -> Any:
    """A table of states on a terminal; elsewhere a line for each run that ends."""
    from harness.cli.screen.sweep import LiveStates, StateLines

    screen = console(stderr=True)
    return StateLines() if quiet or not screen.is_terminal else LiveStates(name, screen)


def _tables(done: Sweep) -> list[SweepTable]:
    """One table a metric, of the runs that are finished."""
    from harness.report.sweep_table import sweep_table

    runs: dict[str, dict[int, FinishedRun]] = {}
    for one in done.runs:
        of = runs.setdefault(one.label, {})
        if (found := _finished(one.path)) is not None:
            of[one.seed] = found
    baseline, columns, seeds = done.recipe.baseline, done.recipe.columns, len(done.seeds)
    return [
        sweep_table(runs, metric, baseline=baseline, columns=columns, seeds=seeds)
        for metric in done.recipe.metrics
    ]


def _finished(path: Path) -> FinishedRun | None:
    from harness.errors import RunError
    from harness.record.finished import FinishedRun

    try:
        return FinishedRun.open(path)
    except RunError:
        return None


def _as_json(done: Sweep, tables: Sequence[SweepTable]) -> str:
    import json
    from dataclasses import asdict

    from harness.results import SCHEMA

    values: Mapping[str, Any] = {
        "schema": SCHEMA,
        "recipe": done.name,
        "runs": [{**asdict(one), "path": str(one.path)} for one in done.runs],
        "tables": [table.as_json() for table in tables],
        "notes": done.notes,
    }
    return json.dumps(values, ensure_ascii=False)


def _fail(done: Sweep) -> None:
    """One line that names them; exit code 3 where only the budget stopped them."""
    from harness.errors import BudgetError, HarnessError

    names = "; ".join(f"{one.label}, seed {one.seed}: {one.error}" for one in done.unfinished)
    said = f"{len(done.unfinished)} of {len(done.each)} runs are not finished: {names}"
    if all(one.state == "stopped" for one in done.unfinished):
        raise BudgetError(said)
    raise HarnessError(f"{said}; the same command goes on with them")
