"""``harness plan``: what a run would send, and cost, before a cent is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import RunOptions, with_run_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from harness.protocols import Estimate
    from harness.run.planning import PlannedStep


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(with_run_options(plan))


def plan(
    options: RunOptions,
    json: Annotated[
        bool, typer.Option("--json", help="Print the plan as JSON and nothing else.")
    ] = False,
) -> None:
    """Say what a run would send, and cost: requests, tokens, $ and time. Sends nothing.

    Requests are an upper bound: later stages ask only for what the selector requests, and
    replies that are recorded already cost nothing. Tokens, and so $, are an estimate from
    the real prompts and the replies to be expected; --budget-usd is held whatever comes,
    as each request's greatest possible cost is reserved before it is sent.
    """
    from harness.cli.session import console, say
    from harness.run.planning import plan as plan_steps

    config, _, parts, splits = options.prepare()
    steps = plan_steps(parts, config, splits)
    if json:
        say(_as_json(steps, config.budget_usd))
        return
    if not steps:
        say(f"annotator {config.annotator.spec} asks no language model: nothing is sent, $0")
        return
    screen = console()
    asked = " + ".join(filter(None, (config.annotator.spec, config.student.augmenter)))
    title = f"{parts.task.card.name}: {asked}, about, at most"
    screen.print(picture(title, steps))
    for line in remarks(steps, config.budget_usd):
        say(line)


def picture(title: str, steps: Sequence[PlannedStep]) -> Table:
    """The steps of a plan, and all together."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from harness.run.planning import total

    table = Table(title=Text(title, style="bold"), title_justify="left", box=SIMPLE_HEAD)
    for column in ("stage", "what", "requests", "prompt tokens", "reply tokens", "$", "time"):
        left = column in ("stage", "what")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for step in steps:
        table.add_row(step.stage, step.what, *_cells(step.estimate))
    table.add_section()
    table.add_row("all", "", *_cells(total(steps)), style="bold")
    return table


def _cells(estimate: Estimate) -> tuple[str, ...]:
    cost, seconds = estimate.cost_usd, estimate.seconds
    return (
        f"{estimate.requests:,}",
        f"{estimate.prompt_tokens:,}",
        f"{estimate.completion_tokens:,}",
        "?" if cost is None else f"{cost:.2f}" if cost >= 0.01 or cost == 0 else f"{cost:.4f}",
        "?" if seconds is None else _duration(seconds),
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def remarks(steps: Sequence[PlannedStep], budget: float | None) -> list[str]:
    """What to say of the price."""
    from harness.run.planning import total

    cost = total(steps).cost_usd
    if cost is None:
        return [
            "the price of this model is not known: set annotator.price_input and "
            "annotator.price_output ($ per million tokens)"
        ]
    if budget is not None and cost > budget:
        return [f"the budget of ${budget:g} may not suffice: the run would stop with exit code 3"]
    return []


def _as_json(steps: Sequence[PlannedStep], budget: float | None) -> str:
    import json
    from dataclasses import asdict

    from harness.results import SCHEMA
    from harness.run.planning import total

    values = {
        "schema": SCHEMA,
        "budget_usd": budget,
        "steps": [
            {"stage": step.stage, "what": step.what, **asdict(step.estimate)} for step in steps
        ],
        "total": asdict(total(steps)),
    }
    return json.dumps(values)
