"""``harness sweep``: a recipe, or a file of one's own, as a grid of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    from harness.report.sweep_scores import SweepTable
    from harness.sweep.grid import Fixed, Grid
    from harness.sweep.recipes import Recipe
    from harness.sweep.states import JobState


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
    json: Annotated[
        bool, typer.Option("--json", help="Print the sweep as JSON and nothing else.")
    ] = False,
) -> None:
    """Do the runs of a recipe, each row with each seed, and print its table.

    Options say what all runs have in common; what a row itself sets comes first. Steps that runs
    share are done once. A run that fails stops no other, is tried once more at the end and named;
    then the exit code is 1. The same command goes on with what is missing. --budget-usd holds for
    all runs together.
    """
    from harness.sweep.jobs import Crew, do_jobs
    from harness.sweep.recipes import find_recipe

    name, found = find_recipe(recipe, load_plugins())
    fixed, wanted, grid = laid_out(options, found, seeds)
    record(name, found, grid, fixed)
    with _watching(name, quiet=json) as watcher:
        for note in grid.notes:
            watcher.noted(note)
        states = do_jobs(grid.jobs, fixed, Crew(jobs, plugin_choice()), watcher)
    tables = _tables(found, grid, len(wanted))
    if json:
        say(_as_json(name, grid, states, tables))
    else:
        from harness.cli.screen.sweep import print_sweep

        print_sweep(console(), name, tables, states)
    if unfinished := [one for one in states if not one.finished]:
        _fail(unfinished, len(states))


def laid_out(
    options: RunOptions, recipe: Recipe, seeds: str | None
) -> tuple[Fixed, Sequence[int], Grid]:
    """What all runs have in common, the seeds, and the runs."""
    from harness.sweep.grid import Fixed, grid_of
    from harness.sweep.recipes import seeds_of

    wanted = seeds_of(seeds) if seeds is not None else [options.values.get("seed") or 0]
    fixed = Fixed(
        options.config, options.settings, options.values, data_folder(options.data), options.out
    )
    return fixed, wanted, grid_of(recipe, wanted, fixed, load_plugins())


def record(name: str, recipe: Recipe, grid: Grid, fixed: Fixed) -> None:
    """Write which runs the sweep is made of."""
    import json

    from harness.record import layout
    from harness.record.folder import new_file
    from harness.results import SCHEMA

    rows = [
        {
            "label": kind.row.label,
            "settings": kind.row.settings,
            "runs": {job.seed: f"{job.path.parent.name}/{job.path.name}" for job in kind.jobs},
        }
        for kind in grid.kinds
    ]
    values = {"schema": SCHEMA, "recipe": name, "baseline": recipe.baseline, "rows": rows}
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    new_file(layout.sweep_file(fixed.out, name), lambda path: _write(path, text))


def _write(path: Any, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _watching(name: str, *, quiet: bool) -> Any:
    """A table of states on a terminal; elsewhere a line for each run that ends."""
    from harness.cli.screen.sweep import LiveStates, StateLines

    screen = console(stderr=True)
    return StateLines() if quiet or not screen.is_terminal else LiveStates(name, screen)


def _tables(recipe: Recipe, grid: Grid, seeds: int) -> list[SweepTable]:
    """One table a metric, of the runs that are finished."""
    from harness.report.sweep_scores import sweep_table

    runs = {
        kind.row.label: {
            job.seed: found for job in kind.jobs if (found := _finished(job.path)) is not None
        }
        for kind in grid.kinds
    }
    return [
        sweep_table(runs, one, baseline=recipe.baseline, columns=recipe.columns, seeds=seeds)
        for one in recipe.metrics
    ]


def _finished(path: Any) -> Any:
    from harness.errors import RunError
    from harness.record.finished import FinishedRun

    try:
        return FinishedRun.open(path)
    except RunError:
        return None


def _as_json(
    name: str, grid: Grid, states: Sequence[JobState], tables: Sequence[SweepTable]
) -> str:
    import json

    from harness.results import SCHEMA

    by_path = {state.job.path: state for state in states}
    values: Mapping[str, Any] = {
        "schema": SCHEMA,
        "recipe": name,
        "runs": [
            {
                "label": kind.row.label,
                "seed": job.seed,
                "run_id": job.run_id,
                "path": str(job.path),
                **{
                    key: getattr(by_path[job.path], key)
                    for key in ("state", "error", "seconds", "did", "shared")
                },
            }
            for kind in grid.kinds
            for job in kind.jobs
        ],
        "tables": [table.as_json() for table in tables],
        "notes": grid.notes,
    }
    return json.dumps(values, ensure_ascii=False)


def _fail(unfinished: Sequence[JobState], runs: int) -> None:
    """One line that names them; exit code 3 where only the budget stopped them."""
    from harness.errors import BudgetError, HarnessError

    names = "; ".join(f"{one.job.name}: {one.error}" for one in unfinished)
    said = f"{len(unfinished)} of {runs} runs are not finished: {names}"
    if all(one.state == "stopped" for one in unfinished):
        raise BudgetError(said)
    raise HarnessError(f"{said}; the same command goes on with them")
