"""``harness runs``: the runs of a folder, finished or not."""

from __future__ import annotations

from harness.cli.options import OutOption, load_plugins
from harness.cli.screen.output import console, say, warn


def runs(out: OutOption = None) -> None:
    """List runs: finished ones with their scores, others with how far they are."""
    from harness.cli.screen.tables import runs_table
    from harness.record import layout
    from harness.record.listing import list_runs
    from harness.record.provenance import outdated

    folder, plugins = out or layout.RUNS, load_plugins()
    found = list_runs(folder)
    if not found:
        say(f"no runs below {folder}; make one with harness run")
        return
    changed = {run.path for run in found if run.result and outdated(run.result, plugins)}
    console().print(runs_table(f"runs below {folder}", found, changed))
    for run in found:
        if run.problem:
            warn(run.problem)
