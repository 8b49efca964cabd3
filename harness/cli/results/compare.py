"""``harness compare``: two runs, or two rows of a sweep, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import DataOption, OutOption, data_folder, load_plugins
from harness.cli.screen.output import console, say
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.record.finished import FinishedRun

METHOD = "A run (any part of its id that no other has), runs with commas, or recipe:row of a sweep."


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=METHOD)],
    second: Annotated[str, typer.Argument(metavar="B", help="Likewise.")],
    examples: Annotated[
        int, typer.Option(metavar="N", min=0, help="Also print N changed examples each way.")
    ] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as JSON and nothing else.")
    ] = False,
    data: DataOption = None,
    out: OutOption = None,
) -> None:
    """Say how two methods differ, and whether their scores differ by more than chance.

    Scores are compared example by example, of several runs also seed by seed: the difference B - A
    with its 95 % interval, p of no difference, and how many examples became right or wrong.
    """
    from harness.api.comparing import compare as compared
    from harness.api.comparing import runs_of
    from harness.report.comparison import as_json

    folder = out or RUNS
    found = compared(first, second, out=folder).found
    if json:
        import json as text

        say(text.dumps(as_json(found), ensure_ascii=False))
        return
    from harness.cli.screen.compared import print_comparison

    texts = _texts(runs_of(first, folder)[0], data) if examples else {}
    print_comparison(console(), (first, second), found, texts, examples)


def _texts(run: FinishedRun, data: Path | None) -> dict[str, str]:
    """The texts of the task's examples by id."""
    from harness.run.assembly import load_task

    task = load_task(run.config.task, load_plugins(), data_folder(data))
    pools = [task.load(split) for split in ("train", "test", "validation")]
    return {
        id_: text
        for pool in pools
        if pool is not None
        for id_, text in zip(pool.ids, pool.texts, strict=True)
    }
