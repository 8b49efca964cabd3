"""``harness plan``: what a run would send, and cost, before a cent is spent."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import RunOptions, with_run_options
from harness.cli.screen.output import console, say

if TYPE_CHECKING:
    from harness.config import Config
    from harness.protocols import Estimate
    from harness.run.planning import PlannedStep
    from harness.sweep.timing import Duration


@with_run_options
def plan(
    options: RunOptions,
    recipe: Annotated[
        str, typer.Argument(help="A recipe, or FILE.toml: of all its runs together.")
    ] = "",
    seeds: Annotated[
        str | None, typer.Option(metavar="0-4", help="Seeds of each row of the recipe.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the plan as JSON and nothing else.")
    ] = False,
) -> None:
    """Estimate what a run would send, and cost: requests, tokens, $ and time. Sends nothing.

    Requests are an upper bound: later stages ask only for what the selector requests, and
    replies that are recorded already cost nothing. Tokens, and so $, are estimated from the
    real prompts and the expected replies. --budget-usd holds in any case: the greatest
    possible cost of each request is reserved before it is sent. Of a recipe, what several rows
    ask alike is counted once.
    """
    from harness.api.finished_runs import runs
    from harness.cli.screen.tables import plan_table
    from harness.results import SCHEMA
    from harness.run import planning
    from harness.sweep.timing import duration

    if recipe:
        title, configs, steps = _of_recipe(options, recipe, seeds)
        asker, budget = title, configs[0].budget_usd
    else:
        config, _, parts, splits = options.prepare()
        steps, budget, configs = planning.plan(parts, config, splits), config.budget_usd, [config]
        title = f"{parts.task.card.name}: {_asked(config)}"
        asker = f"annotator {config.annotator.spec}"
    finished = [run.result for run in runs(out=options.out)]
    total, took = planning.total(steps), duration(configs, finished)
    if json:
        from json import dumps

        listed = [{"stage": one.stage, "what": one.what, **asdict(one.estimate)} for one in steps]
        values = {"schema": SCHEMA, "budget_usd": budget, "steps": listed, "total": asdict(total)}
        say(dumps({**values, "runs": asdict(took)}))
        return
    if not steps:
        say(f"{asker} asks no language model: nothing is sent, $0")
        say(_timed(took, options.out))
        return
    console().print(plan_table(f"{title}, about, at most", steps, total))
    for line in (*remarks(total, budget), _timed(took, options.out)):
        say(line)


def _timed(took: Duration, out: Path) -> str:
    """How long the runs will take, in words."""
    from harness.cli.screen.tables import clock

    if not took.estimated:
        return f"time with training: not known; no run like this is finished below {out}"
    most = f"time with training: at most about {clock(took.seconds)}, one run at a time"
    said = f"{most}, by like runs below {out}"
    return f"{said}; {took.unknown} runs are like no finished one" if took.unknown else said


def remarks(total: Estimate, budget: float | None) -> list[str]:
    """What to know of an estimated price."""
    if total.remark:
        return [total.remark]
    if total.cost_usd is None:
        return [
            "the price of this model is not known: set annotator.price_input and "
            "annotator.price_output ($ per million tokens)"
        ]
    if budget is not None and total.cost_usd > budget:
        return [f"the budget of ${budget:g} may not suffice: the run would stop with exit code 3"]
    return []


def _asked(config: Config) -> str:
    return " + ".join(filter(None, (config.annotator.spec, config.student.augmenter)))


def _of_recipe(
    options: RunOptions, recipe: str, seeds: str | None
) -> tuple[str, list[Config], list[PlannedStep]]:
    """What to call it, the configuration of each run, and the steps of all."""
    from harness.api.sweeping import check_metrics
    from harness.cli.options import data_folder, load_plugins
    from harness.cli.sweep import wanted_seeds
    from harness.sweep.grid import Fixed, grid_of
    from harness.sweep.recipes import find_recipe

    name, found = find_recipe(recipe, load_plugins())
    check_metrics(recipe, found.metrics)
    wanted = wanted_seeds(options, seeds)
    said, folder = (options.config, options.settings, options.values), data_folder(options.data)
    grid = grid_of(found, wanted, Fixed(*said, folder, options.out), load_plugins())
    each = {job.path: kind.config for kind in grid.kinds for job in kind.jobs}
    asked = " / ".join(dict.fromkeys(map(_asked, each.values())))
    return f"recipe {name}, {len(grid.jobs)} runs: {asked}", list(each.values()), grid.steps()
