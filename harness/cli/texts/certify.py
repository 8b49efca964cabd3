"""``harness certify``: how right a run's labels are, by rows labelled by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataOption, OutOption, data_folder, load_plugins
from harness.cli.screen.output import console, note
from harness.cli.texts.naming import ColumnOption, columns_of
from harness.record.layout import RUNS


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
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_run
    from harness.run.assembly import load_task

    finished = FinishedRun.open(find_run(run, out or RUNS))
    task = load_task(finished.config.task, load_plugins(), data_folder(data))
    found = certificate(finished, task, gold, columns_of(column))
    for line in found.gold.notes():
        note(line)
    console().print(certificate_picture(found, task.card.kind))
