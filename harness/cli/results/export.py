"""``harness export``: a run's model, its labels, or a recording of its annotator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import OutOption, SpreadsheetOption, data_folder, load_plugins
from harness.cli.screen.output import say
from harness.errors import CommandError
from harness.record.layout import RUNS


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished run: its id, or folder.")],
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="New folder for the student's model.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="New file for the labels: .jsonl .csv .tsv .parquet."),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="--to: the annotator's answers, for replay:FILE.")
    ] = False,
    stage: Annotated[
        str | None,
        typer.Option(metavar="R1", help="--to: the labels after this stage (the last one)."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="--to: the data with which the run was made.")
    ] = None,
    out: OutOption = None,
    spreadsheet: SpreadsheetOption = False,
) -> None:
    """Take from a run its model, its labels, or a recording of its annotator.

    --model writes the last student (kept by --set student.save=true) as a folder that
    transformers loads, with a model card. --to writes the pool's labels as the last stage left
    them; with --replay what the annotator answered in its first stage, or in that of --stage.
    """
    from harness.export.labels import label_rows, replay_rows
    from harness.export.model_export import check_empty, export_model
    from harness.export.rows import LABELS, check_new, for_spreadsheets, write_rows
    from harness.files.delimited import SEPARATORS
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_run
    from harness.run.assembly import load_task

    if model is None and to is None:
        raise CommandError("say what to export: --model DIR, or --to FILE")
    if to is None and (replay or stage):
        raise CommandError("--replay and --stage say which labels to write; name a file by --to")
    if replay and to is not None and to.suffix.lower() != ".jsonl":
        raise CommandError(f"--to {to}: a replay is a .jsonl file")
    if to is not None:
        check_new(to)
    if spreadsheet and (to is None or to.suffix.lower() not in SEPARATORS):
        raise CommandError("--spreadsheet is for --to FILE.csv or FILE.tsv")
    if model is not None:
        check_empty(model)
    finished = FinishedRun.open(find_run(run, out or RUNS))
    plugins, result = load_plugins(), finished.result
    if model is not None:
        export_model(finished, plugins, model)
        say(f"model of {result.run_id}: {model}")
    if to is not None:
        which = finished.stage(stage, "annotator" if replay else None)
        task = load_task(finished.config.task, plugins, data_folder(data))
        rows = (replay_rows if replay else label_rows)(finished, task, which)
        rows = for_spreadsheets(rows) if spreadsheet else rows
        count = write_rows(to, rows, LABELS)
        mark = ", supervised" if result.supervised else ""
        say(f"{count} {'answers' if replay else 'labels'} of {which.stage}{mark}: {to}")
