"""``harness compare``: two runs, or two rows of a sweep, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import DataOption, OutOption, data_folder, load_plugins
from harness.cli.screen.output import console, say
from harness.errors import CommandError

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
    from harness.record import layout
    from harness.report.comparison import as_json, compare_methods

    folder = out or layout.RUNS
    runs = [_opened(name, folder) for name in (first, second)]
    found = compare_methods(*runs)
    if json:
        import json as text

        say(text.dumps(as_json(found), ensure_ascii=False))
        return
    from harness.cli.screen.compared import print_comparison

    texts = _texts(runs[0][0], data) if examples else {}
    print_comparison(console(), (first, second), found, texts, examples)


def _opened(name: str, out: Path) -> list[FinishedRun]:
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_method

    paths = find_method(name, out)
    if not paths:
        raise CommandError(f"{name!r} has no finished run below {out}")
    return [FinishedRun.open(path) for path in paths]


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
