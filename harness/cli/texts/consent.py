"""The plan with its price, and a yes before anything is sent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from harness.cli.screen.output import console
from harness.cli.texts.naming import refuse

if TYPE_CHECKING:
    from harness.run.planning import PlannedStep


def agree(title: str, steps: Sequence[PlannedStep], budget: float | None, *, yes: bool) -> None:
    """Show what would be sent, and ask whether to; nothing where nothing is sent.

    Raises:
        CommandError: if the answer is no, or nobody can be asked.
    """
    from harness.cli.plan import remarks
    from harness.cli.screen.tables import plan_table
    from harness.run.planning import total

    if not steps:
        return
    screen = console(stderr=True)
    every = total(steps)
    screen.print(plan_table(f"{title}, about, at most", steps, every))
    for line in remarks(every, budget):
        screen.print(line, markup=False)
    if yes:
        return
    if not sys.stdin.isatty():
        refuse("nothing was sent; say --yes to go on with this plan")
    if not typer.confirm("Go on?", err=True):
        refuse("nothing was sent")
