"""``harness runs``: the runs of a folder, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("runs")(runs)


def runs(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs are kept (results/runs).")
    ] = None,
) -> None:
    """List runs: finished ones with their scores, others with how far they are."""
    from harness.cli.session import RUNS
    from harness.cli.show import print_runs

    print_runs(out or RUNS)
