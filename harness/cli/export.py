"""``harness export``: a run's model, its labels, or a recording of its annotator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import OutOption, data_folder, load_plugins
from harness.cli.screen.output import say
from harness.errors import CommandError
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.plugin_manager import Plugins
    from harness.record.finished import FinishedRun


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
) -> None:
    """Take from a run its model, its labels, or a recording of its annotator.

    --model writes the last student (kept by --set student.save=true) as a folder that
    transformers loads, with a model card. --to writes the pool's labels as the last stage left
    them; with --replay what the annotator answered in its first stage, or in that of --stage.
    """
    from harness.export.rows import check_new
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_run

    if model is None and to is None:
        raise CommandError("say what to export: --model DIR, or --to FILE")
    if to is None and (replay or stage):
        raise CommandError("--replay and --stage say which labels to write; name a file by --to")
    if replay and to is not None and to.suffix.lower() != ".jsonl":
        raise CommandError(f"--to {to}: a replay is a .jsonl file")
    if to is not None:
        check_new(to)
    opened = FinishedRun.open(find_run(run, out or RUNS))
    plugins = load_plugins()
    if model is not None:
        say(_model(opened, plugins, model))
    if to is not None:
        say(_labels(opened, plugins, to, data, stage, replay=replay))


def _model(run: FinishedRun, plugins: Plugins, target: Path) -> str:
    from harness.export.model_export import check_empty, export_model

    check_empty(target)
    export_model(run, plugins, target)
    return f"model of {run.result.run_id}: {target}"


def _labels(
    run: FinishedRun,
    plugins: Plugins,
    file: Path,
    data: Path | None,
    stage: str | None,
    *,
    replay: bool,
) -> str:
    from harness.export.labels import label_rows, replay_rows
    from harness.export.rows import write_rows
    from harness.run.assembly import load_task

    which = run.stage(stage, "annotator" if replay else None)
    task = load_task(run.config.task, plugins, data_folder(data))
    count = write_rows(file, (replay_rows if replay else label_rows)(run, task, which))
    what = "answers" if replay else "labels"
    mark = ", supervised" if run.result.supervised else ""
    return f"{count} {what} of {which.stage}{mark}: {file}"
