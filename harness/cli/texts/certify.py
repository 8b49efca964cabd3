"""``harness certify``: how right a run's labels are, by rows labelled by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import DataOption, OutOption, data_folder, load_plugins
from harness.cli.screen.output import console, note
from harness.cli.texts.naming import ColumnOption, columns_of
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.label.gold_file import GoldRows


def certify(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished run: its id, or folder.")],
    gold: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Rows labelled by hand, 200 to 400 drawn at random."),
    ],
    column: ColumnOption = None,
    data: DataOption = None,
    out: OutOption = None,
) -> None:
    """Say how right a run's labels are, with 95 % intervals, from rows labelled by hand.

    FILE has a column gold (or label, or tags), and the column id of harness export, or the text.
    For entities gold is the text with marks, "[Ann](person) left", or spans in JSON. The rows
    must be drawn at random: doubtful rows are wrong more often than others.
    """
    from harness.cli.screen.certified import certificate_picture
    from harness.label.certificate import certificate
    from harness.label.gold_file import read_gold
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_run
    from harness.run.assembly import load_task
    from harness.run.splits import splits_of

    finished = FinishedRun.open(find_run(run, out or RUNS))
    task = load_task(finished.config.task, load_plugins(), data_folder(data))
    pool = splits_of(finished.config, task).train.pool
    rows = read_gold(gold, columns_of(column), pool, task.card)
    for line in _notes(gold, rows):
        note(line)
    console().print(certificate_picture(certificate(finished, task, rows), task.card.kind))


def _notes(file: Path, gold: GoldRows) -> list[str]:
    """Rows that do not count, and why."""
    from harness.label.texts import some_of

    said = {
        "are not in the run's pool, neither by id nor by text": gold.unmatched,
        "repeat a text with another label": gold.conflicting,
        "have a label that cannot be read": gold.wrong,
    }
    found = [
        f"{len(places)} rows {what}, and do not count: {some_of(places)}"
        for what, places in said.items()
        if places
    ]
    if gold.doubtful:
        found.append(
            f"{file}: {gold.doubtful} rows were chosen as doubtful, not at random, and do not count"
        )
    return found
