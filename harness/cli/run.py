"""``harness run``: one run, or what is left of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import RunOptions, with_run_options

if TYPE_CHECKING:
    from harness.progress import Watcher
    from harness.results import RunResult


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(with_run_options(run))


def run(
    options: RunOptions,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, forgetting what is recorded.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON and nothing else.")
    ] = False,
) -> None:
    """Annotate, train, select, and again: the whole loop on one task.

    Without options: annotator embedding, student minilm, task demo. The same command
    resumes a run that was stopped, and finds one that is finished.
    """
    result, path = _do(options, fresh=fresh, quiet=json)
    _show(result, path, as_json=json)


def _do(options: RunOptions, *, fresh: bool, quiet: bool) -> tuple[RunResult, Path]:
    from harness.record import layout
    from harness.record.folder import RunFolder
    from harness.run.assembly import run_id
    from harness.run.loop import run as run_loop

    config, plugins, parts, splits = options.prepare()
    name = run_id(config, parts)
    path = layout.run_folder(options.out, parts.task.card.name, name)
    with RunFolder.held(path, fresh=fresh) as folder, watching(name, quiet=quiet) as watcher:
        result = run_loop(
            parts,
            config,
            splits,
            folder,
            run_id=name,
            replies=options.out / layout.REPLIES,
            plugins=plugins,
            watcher=watcher,
        )
    return result, path


def watching(name: str, *, quiet: bool) -> Any:
    """A picture of the progress on a terminal; elsewhere nothing."""
    from contextlib import nullcontext

    from harness.cli.session import console

    screen = console(stderr=True)
    if quiet or not screen.is_terminal:
        from harness.cli.session import NotesOnly

        watcher: Watcher = NotesOnly()
        return nullcontext(watcher)
    from harness.cli.screen.live import LiveWatcher

    return LiveWatcher(name, screen)


def _show(result: RunResult, path: Path, *, as_json: bool) -> None:
    from harness.cli.session import console, say

    if as_json:
        say(result.to_json())
        return
    from rich.text import Text

    from harness.cli.screen.tables import stages_table

    screen = console()
    screen.print(stages_table(result))
    screen.print(Text(str(path), style="dim"), soft_wrap=True)
