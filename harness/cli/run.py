"""``harness run``: one run, or what is left of it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import RunOptions, with_run_options
from harness.cli.screen.output import console, say
from harness.errors import CommandError
from harness.plugin_manager.printing import printing_to_stderr

if TYPE_CHECKING:
    from harness.results import Watcher


@with_run_options
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
    from harness.api.running import run as do_run

    try:
        given = options.arguments()
    except CommandError as first:
        first.args = (options.obstacles(first),)
        raise
    with printing_to_stderr():
        done = do_run(**given, fresh=fresh, progress=partial(watching, quiet=json))
    if json:
        say(done.result.to_json())
        return
    from rich.text import Text

    from harness.cli.screen.tables import stages_table

    screen = console()
    screen.print(stages_table(done.result))
    screen.print(Text(str(done.path), style="dim"), soft_wrap=True)


def watching(name: str, *, quiet: bool) -> AbstractContextManager[Watcher]:
    """Draws the progress on a terminal, elsewhere prints lines; ``quiet``: notes only."""
    from harness.cli.screen.live import LiveWatcher, NotesOnly, StageLines

    screen = console(stderr=True)
    if quiet:
        return nullcontext(NotesOnly())
    if not screen.is_terminal:
        return nullcontext(StageLines())
    return LiveWatcher(name, screen)
