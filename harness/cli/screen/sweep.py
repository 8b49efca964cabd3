"""A sweep on the screen: the states of its runs while they are done, and at the end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from harness.cli.screen.live import LiveScreen
from harness.sweep.states import JobState, summary
from harness.sweep.sweeping import SweptRun

STYLES = {"running": "cyan", "done": "green", "found": "green", "failed": "red", "stopped": "red"}
SHOWN = 12
"""Runs that a small terminal has room for: those that run, and the last that ended."""


class LiveStates(LiveScreen):
    """Draws the runs that are being done, and how many are in which state."""

    def __init__(self, name: str, console: Console) -> None:
        super().__init__(console)
        self._name, self._noted = name, set[str]()

    def changed(self, state: JobState, states: Sequence[JobState]) -> None:
        """Draw the table anew."""
        ended = [one for one in states if one.state not in ("waiting", "running")]
        running = [one for one in states if one.state == "running"]
        table = Table.grid(padding=(0, 2))
        for one in [*ended[-(SHOWN - len(running)) :], *running]:
            style = STYLES.get(one.state, "")
            cells = (one.state, one.job.name, one.doing or one.error, f"{one.seconds:.0f} s")
            table.add_row(Text(cells[0], style=style), *(Text(cell) for cell in cells[1:]))
        head = Text.assemble((self._name, "bold"), f"  {summary(states)}")
        self._live.update(Group(head, table))

    def noted(self, message: str) -> None:
        """Print the message above the table, once for all runs that have to say it."""
        if (said := message.rpartition(": ")[2]) not in self._noted:
            self._noted.add(said)
            super().noted(message)


def print_states(console: Console, states: Sequence[SweptRun]) -> None:
    """What the runs came to, and what sharing steps has saved."""
    did, shared = sum(one.did for one in states), sum(one.shared for one in states)
    runs = f"{len(states)} runs: {summary(states)}"
    if did + shared:
        runs += (
            f"; their steps took {did:.0f} s; {shared:.0f} s of steps that others had done were "
            f"shared ({100 * shared / (did + shared):.0f} %)"
        )
    console.print(Text(runs, style="dim"), soft_wrap=True)
