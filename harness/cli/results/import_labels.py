"""``harness import``: what people said in a labelling tool, back into runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DataOption, OutOption, data_folder, load_plugins
from harness.cli.screen.output import say
from harness.errors import CommandError
from harness.record.layout import RUNS


def import_labels(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Label Studio's JSON or JSON-MIN export, or Argilla's records."
        ),
    ],
    run: Annotated[str, typer.Option(metavar="RUN", help="The run that was exported.")],
    to: Annotated[Path, typer.Option(metavar="FILE.jsonl", help="New file for the labels.")],
    gold: Annotated[
        bool, typer.Option("--gold", help="Write only what people said, as gold labels.")
    ] = False,
    stage: Annotated[
        str | None,
        typer.Option(metavar="R1", help="Whose other answers are kept (the first stage's)."),
    ] = None,
    data: DataOption = None,
    out: OutOption = None,
) -> None:
    """Take back the labels that people gave to what harness export --for wrote.

    FILE.jsonl holds the annotator's answers with those of people in their place: harness run
    --annotator replay:FILE.jsonl goes on with them, and is marked supervised. With --gold it
    holds the rows that people labelled, and nothing else.
    """
    from harness.export.rows import check_new, write_rows
    from harness.export.tools.answered import corrected_rows, gold_rows, read_answers
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_run
    from harness.run.assembly import load_task

    if gold and stage:
        raise CommandError("--stage is for an annotator's answers; leave out --gold")
    if to.suffix.lower() != ".jsonl":
        raise CommandError(f"--to {to}: is written as a .jsonl file")
    check_new(to)
    said = read_answers(file)
    finished = FinishedRun.open(find_run(run, out or RUNS))
    task = load_task(finished.config.task, load_plugins(), data_folder(data))
    if gold:
        write_rows(to, gold_rows(finished, task, said))
        say(f"{len(said)} labels of people: {to}")
        return
    which = finished.stage(stage, "annotator")
    count = write_rows(to, corrected_rows(finished, task, which, said))
    say(f"{count} answers of {which.stage}, {len(said)} of them people's: {to}")
