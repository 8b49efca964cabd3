"""``harness runs``: the runs of a folder, finished or not."""

from __future__ import annotations

import typer

from harness.cli.options import OutOption


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("runs")(runs)


def runs(out: OutOption = None) -> None:
    """List runs: finished ones with their scores, others with how far they are."""
    from harness.cli.session import RUNS, load_plugins
    from harness.cli.show import print_runs

    print_runs(out or RUNS, load_plugins())
