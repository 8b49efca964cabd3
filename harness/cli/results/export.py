"""``harness export``: a run's model, its labels, or a recording of its annotator."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import OutOption, SpreadsheetOption, data_folder, load_plugins
from harness.cli.screen.output import say
from harness.errors import CommandError
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.protocols import Task
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
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TOOL",
            help="--to FILE.json: suggestions for people, doubtful first: label-studio, argilla.",
        ),
    ] = None,
    first: Annotated[
        int, typer.Option(metavar="N", min=0, help="--for: only the N most doubtful ones.")
    ] = 0,
    dataset: Annotated[
        Path | None, typer.Option(metavar="DIR", help="New folder: a Hugging Face data set.")
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
    them; with --replay what the annotator answered in each round, or the labels after --stage.
    --for writes them for people to correct: harness import takes back what they say. --dataset
    writes them as a folder that datasets.load_dataset loads, with a card.
    """
    from harness.export.dataset_folder import write_dataset
    from harness.export.labels import write_labels
    from harness.export.model_export import check_empty, export_model
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_run
    from harness.run.assembly import load_task

    if model is None and to is None and dataset is None:
        raise CommandError("say what to export: --model DIR, --to FILE, or --dataset DIR")
    if to is not None:
        _check_file(to, for_, replay=replay, spreadsheet=spreadsheet)
    elif replay or for_ or spreadsheet or (stage and dataset is None):
        raise CommandError("say where to write labels or answers: name a file by --to")
    for folder, option in ((model, "--model"), (dataset, "--dataset")):
        if folder is not None:
            check_empty(folder, option)
    finished = FinishedRun.open(find_run(run, out or RUNS))
    if model is not None:
        export_model(finished, load_plugins(), model)
        say(f"model of {finished.result.run_id}: {model}")
    task = partial(load_task, finished.config.task, load_plugins(), data_folder(data))
    if to is not None and for_:
        _suggestions(finished, task(), stage, to, for_, first)
    elif to is not None:
        count, of = write_labels(
            finished, task(), to, stage, replay=replay, spreadsheet=spreadsheet
        )
        mark = ", supervised" if finished.result.supervised else ""
        say(f"{count} {'answers' if replay else 'labels'} of {of}{mark}: {to}")
    if dataset is not None:
        which = finished.stage(stage)
        count = write_dataset(finished, task(), which, load_plugins(), dataset)
        say(f"{count} labels of {which.stage}: {dataset}")


def _check_file(to: Path, tool: str | None, *, replay: bool, spreadsheet: bool) -> None:
    from harness.errors import UnknownNameError
    from harness.export.rows import check_new
    from harness.export.tools.written import TOOLS
    from harness.files.delimited import SEPARATORS

    if tool is not None and tool not in TOOLS:
        raise UnknownNameError("tool", tool, TOOLS)
    if tool is not None and (replay or to.suffix.lower() != ".json"):
        raise CommandError(f"--for {tool}: writes labels to a new .json file, not {to}")
    if replay and to.suffix.lower() != ".jsonl":
        raise CommandError(f"--to {to}: a replay is a .jsonl file")
    check_new(to)
    if spreadsheet and to.suffix.lower() not in SEPARATORS:
        raise CommandError("--spreadsheet is for --to FILE.csv or FILE.tsv")


def _suggestions(
    run: FinishedRun, task: Task, stage: str | None, to: Path, tool: str, most: int
) -> None:
    from harness.export.tools.written import write_suggestions

    which = run.stage(stage)
    count, interface = write_suggestions(run, task, which, to, tool, most)
    say(f"{count} suggestions of {which.stage}, doubtful first: {to}")
    if interface is not None:
        say(f"labelling interface: {interface}")
