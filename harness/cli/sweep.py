"""``harness sweep``: a recipe, or a file of one's own, as a grid of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import RunOptions, with_run_options
from harness.cli.screen.output import console, say
from harness.plugin_manager.printing import printing_to_stderr

if TYPE_CHECKING:
    from harness.api.sweeping import Watching
    from harness.report.tables import Table
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
    from harness.api.sweeping import sweep as do_sweep
    from harness.report.formats import FORMATS

    asked = {key: value for key, value in options.arguments().items() if key != "seed"}
    watching = _watching(quiet=json or markdown)
    every = wanted_seeds(options, seeds)
    with printing_to_stderr():
        made = do_sweep(recipe, seeds=every, jobs=jobs, on=on, **asked, progress=watching)
    tables = [one.table for one in made.tables]
    if json:
        say(_as_json(made.done, tables))
    elif markdown:
        if tables:
            say("\n\n".join(map(FORMATS["markdown"], tables)))
    else:
        from harness.cli.results.drawing import results_table
        from harness.cli.screen.sweep import print_states

        screen = console()
        for table in tables:
            screen.print(results_table(table, screen.width))
        print_states(screen, made.done.each)
    if made.done.unfinished:
        _fail(made.done)


def wanted_seeds(options: RunOptions, seeds: str | None) -> Sequence[int]:
    """Those of ``--seeds``, or else of ``--seed``."""
    from harness.sweep.recipes import seeds_of

    return seeds_of(seeds) if seeds is not None else [options.values.get("seed") or 0]


def _watching(*, quiet: bool) -> Watching:
    """A table of states on a terminal; elsewhere a line for each run that ends."""
    from harness.cli.screen.sweep import LiveStates

    screen = console(stderr=True)
    return True if quiet or not screen.is_terminal else partial(LiveStates, console=screen)


def _as_json(done: Sweep, tables: Sequence[Table]) -> str:
    from dataclasses import asdict
    from json import dumps, loads

    from harness.report.formats import FORMATS
    from harness.results import SCHEMA

    values: Mapping[str, Any] = {
        "schema": SCHEMA,
        "recipe": done.name,
        "runs": [{**asdict(one), "path": str(one.path)} for one in done.runs],
        "tables": [loads(FORMATS["json"](table)) for table in tables],
        "notes": done.notes,
    }
    return dumps(values, ensure_ascii=False)


def _fail(done: Sweep) -> None:
    """One line that names them; exit code 3 where only the budget stopped them."""
    from harness.errors import BudgetError, HarnessError

    names = "; ".join(f"{one.label}, seed {one.seed}: {one.error}" for one in done.unfinished)
    said = f"{len(done.unfinished)} of {len(done.each)} runs are not finished: {names}"
    if all(one.state == "stopped" for one in done.unfinished):
        raise BudgetError(said)
    raise HarnessError(f"{said}; the same command goes on with them")
