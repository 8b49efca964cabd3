"""Runs on a terminal: one line each, and below the table why some of them ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.cli.screen.tables import percent_of, titled

if TYPE_CHECKING:
    from harness.record.listing import ListedRun
    from harness.record.pruning import Prunable


OTHERS = 40
"""Characters that the other columns need at least."""
SHORTEST = 14
"""Characters of a run's id that are shown in any case: the hash at its end, and the seed."""


def runs_table(
    title: str, runs: Sequence[ListedRun], other_code: Collection[Path], width: int
) -> Group:
    """One line a run: its last recorded stage, with that stage's scores in per cent.

    Args:
        title: above.
        runs: as listed.
        other_code: the folders of those that other code than today's made.
        width: of the screen; where it is too narrow for an id, the end of the id stands for it.
    """
    from harness.record.pruning import size_of

    table = titled(title, padding=(0, 1, 0, 0))
    table.show_edge = False
    for name in ("run", "state", "last"):
        table.add_column(name, no_wrap=name != "state")
    for name in ("pool", "test", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        last = run.stages[-1] if run.stages else None
        table.add_row(
            Text(_shortened(run.name, max(SHORTEST, width - OTHERS))),
            run.state + (", other code" if run.path in other_code else ""),
            last.stage if last else "–",
            percent_of(last.transductive if last else None),
            percent_of(last.inductive if last else None),
            size(size_of(run.path)),
        )
    reasons = [Text(f"{run.name}: {run.reason}") for run in runs if run.reason and not run.problem]
    return Group(table, *reasons)


def prunable_table(going: Sequence[Prunable]) -> Table:
    """What would be removed, a run a line."""
    table = titled("to be removed", ("run", "state", "what"), ("size",), padding=(0, 1, 0, 0))
    table.show_edge = False
    for one in going:
        what = "run" if one.checkpoints is None else "checkpoints"
        table.add_row(Text(one.run.name), one.run.state, what, size(one.size))
    return table


def size(count: int) -> str:
    """Bytes as people write them: ``12 kB``, ``3.4 MB``."""
    if count < 1000:
        return f"{count} B"
    value = count / 1000
    for unit in ("kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"


def _shortened(name: str, width: int) -> str:
    """The end of a name: like any part of a run's id that no other has, it names the run."""
    return name if len(name) <= width else "…" + name[1 - width :]
