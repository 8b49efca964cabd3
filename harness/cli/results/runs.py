"""``harness runs``: the runs of a folder, finished or not, and what of them can go."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import OutOption, load_plugins
from harness.cli.screen.output import console, say, warn
from harness.errors import CommandError, RunError, UnknownNameError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.record.listing import ListedRun
    from harness.record.pruning import Prunable
    from harness.results import StageResult

WATCHED = 2.0
"""Seconds between two looks."""


def runs(
    action: Annotated[
        str | None, typer.Argument(metavar="prune", help="prune: remove what is not needed.")
    ] = None,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT",
            help="prune: checkpoints (of unfinished trainings), unfinished (runs), or everything.",
        ),
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option(metavar="DAYS", help="prune: only runs that wrote nothing for so long."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="prune: do not ask.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Draw the list anew until no run is running.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: OutOption = None,
) -> None:
    """List runs: their state, their scores so far, and the room they take.

    harness runs prune removes checkpoints of unfinished trainings (those then begin anew), or
    whole runs: it lists them first, and asks. Runs that are running stay.
    """
    from harness.record import layout

    folder = out or layout.RUNS
    if action is not None:
        if action != "prune":
            raise UnknownNameError("action", action, ["prune"])
        _prune(folder, what or "checkpoints", older_than or 0.0, yes=yes)
        return
    if yes or older_than is not None:
        raise CommandError("--yes and --older-than are for harness runs prune")
    if as_json:
        say(json.dumps({"schema": 1, "runs": [_values(*one) for one in _found(folder)]}, indent=1))
        return
    _watch(folder) if watch else _list(folder)


def _found(folder: Path) -> list[tuple[ListedRun, bool]]:
    """All runs, and whether other code than today's made them."""
    from harness.api.finished_runs import runs as runs_below
    from harness.record.provenance import outdated

    plugins = load_plugins()
    return [
        (run, run.result is not None and bool(outdated(run.result, plugins)))
        for run in runs_below(out=folder).listed
    ]


def _list(folder: Path) -> None:
    found = _found(folder)
    if not found:
        say(f"no runs below {folder}; make one with harness run")
        return
    screen = console()
    screen.print(_drawn(folder, found, screen.width))
    for run, _ in found:
        if run.problem:
            warn(run.problem)


def _drawn(folder: Path, found: Sequence[tuple[ListedRun, bool]], width: int) -> RenderableType:
    from harness.cli.screen.runs import runs_table

    other: Collection[Path] = {run.path for run, changed in found if changed}
    return runs_table(f"runs below {folder}", [run for run, _ in found], other, width)


def _watch(folder: Path) -> None:
    """Draw the list until no run is running."""
    from rich.live import Live

    screen = console()
    if not screen.is_terminal:
        raise CommandError("--watch is for a terminal; use --json elsewhere")
    found = _found(folder)
    with Live(_drawn(folder, found, screen.width), console=screen, auto_refresh=False) as live:
        while any(run.state == "running" for run, _ in found):
            time.sleep(WATCHED)
            found = _found(folder)
            live.update(_drawn(folder, found, screen.width), refresh=True)


def _values(run: ListedRun, changed: bool) -> dict[str, Any]:
    from harness.record.pruning import size_of

    return {
        "run": run.name,
        "folder": str(run.path),
        "state": run.state,
        "reason": run.reason or None,
        "other_code": changed,
        "supervised": run.result.supervised if run.result else None,
        "bytes": size_of(run.path),
        "stages": [_stage(stage) for stage in run.stages],
    }


def _stage(stage: StageResult) -> dict[str, Any]:
    pool, test = stage.transductive, stage.inductive
    return {
        "stage": stage.stage,
        "actor": stage.actor,
        "transductive": None if pool is None else pool.score,
        "inductive": None if test is None else test.score,
    }


def _prune(folder: Path, what: str, older_than: float, *, yes: bool) -> None:
    from harness.api.finished_runs import runs as runs_below
    from harness.cli.screen.runs import prunable_table, size
    from harness.record.pruning import WHATS, prunable

    if what not in WHATS:
        raise UnknownNameError("thing to prune", what, WHATS)
    going = list(prunable(runs_below(out=folder).listed, what, older_than=older_than))
    if not going:
        say(f"nothing to remove below {folder}")
        return
    every = sum(one.size for one in going)
    console(stderr=True).print(prunable_table(going))
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("nothing was removed; say --yes to remove it")
        typer.confirm(f"Remove these, {size(every)}?", abort=True, err=True)
    _remove(going)


def _remove(going: Sequence[Prunable]) -> None:
    from harness.cli.screen.runs import size

    freed = 0
    for one in going:
        try:
            one.remove()
        except RunError as error:
            warn(f"left: {error}")
        else:
            freed += one.size
    say(f"removed: {size(freed)}")
