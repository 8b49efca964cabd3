"""``harness plan``: what a run would send, and cost, before a cent is spent."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import RunOptions, with_run_options
from harness.cli.screen.output import console, say

if TYPE_CHECKING:
    from harness.protocols import Estimate


@with_run_options
def plan(
    options: RunOptions,
    json: Annotated[
        bool, typer.Option("--json", help="Print the plan as JSON and nothing else.")
    ] = False,
) -> None:
    """Estimate what a run would send, and cost: requests, tokens, $ and time. Sends nothing.

    Requests are an upper bound: later stages ask only for what the selector requests, and
    replies that are recorded already cost nothing. Tokens, and so $, are estimated from the
    real prompts and the expected replies. --budget-usd holds in any case: the greatest
    possible cost of each request is reserved before it is sent.
    """
    from harness.cli.screen.tables import plan_table
    from harness.results import SCHEMA
    from harness.run import planning

    config, _, parts, splits = options.prepare()
    steps, budget = planning.plan(parts, config, splits), config.budget_usd
    total = planning.total(steps)
    if json:
        from json import dumps

        listed = [{"stage": one.stage, "what": one.what, **asdict(one.estimate)} for one in steps]
        values = {"schema": SCHEMA, "budget_usd": budget, "steps": listed, "total": asdict(total)}
        say(dumps(values))
        return
    if not steps:
        say(f"annotator {config.annotator.spec} asks no language model: nothing is sent, $0")
        return
    asked = " + ".join(filter(None, (config.annotator.spec, config.student.augmenter)))
    console().print(plan_table(f"{parts.task.card.name}: {asked}, about, at most", steps, total))
    for line in remarks(total, budget):
        say(line)


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
