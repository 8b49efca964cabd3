"""``harness export``: a run's model, its labels, or a recording of its annotator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import OutOption, SpreadsheetOption, data_folder, load_plugins
from harness.cli.screen.output import say
from harness.errors import CommandError
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.record.finished import FinishedRun

TOOLS = ("label-studio", "argilla")
"""For people who correct labels."""


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
    from harness.export.model_export import check_empty, export_model
    from harness.record.finished import FinishedRun
    from harness.record.listing import find_run

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
    source = data_folder(data)
    if to is not None and for_:
        _suggestions(finished, source, stage, to, for_, first)
    elif to is not None:
        _labels(finished, source, stage, to, replay=replay, spreadsheet=spreadsheet)
    if dataset is not None:
        _dataset(finished, source, stage, dataset)


def _check_file(to: Path, tool: str | None, *, replay: bool, spreadsheet: bool) -> None:
    from harness.errors import UnknownNameError
    from harness.export.rows import check_new
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


def _labels(
    run: FinishedRun,
    data: Path | None,
    stage: str | None,
    to: Path,
    *,
    replay: bool,
    spreadsheet: bool,
) -> None:
    from harness.export.labels import label_rows, replay_rows
    from harness.export.rows import LABELS, for_spreadsheets, write_rows
    from harness.run.assembly import load_task

    which = run.stage(stage, "annotator" if replay else None)
    task = load_task(run.config.task, load_plugins(), data)
    if replay:
        rows = replay_rows(run, task, which if stage else None)
    else:
        rows = label_rows(run, task, which)
    rows = for_spreadsheets(rows) if spreadsheet else rows
    count = write_rows(to, rows, LABELS)
    mark = ", supervised" if run.result.supervised else ""
    of = which.stage if stage or not replay else "all rounds"
    say(f"{count} {'answers' if replay else 'labels'} of {of}{mark}: {to}")


def _suggestions(
    run: FinishedRun, data: Path | None, stage: str | None, to: Path, tool: str, most: int
) -> None:
    """For Label Studio also the labelling interface, beside the tasks."""
    from harness.export.tools import argilla, label_studio
    from harness.export.tools.suggestions import suggestions
    from harness.record.folder import new_file
    from harness.run.assembly import load_task

    task, which = load_task(run.config.task, load_plugins(), data), run.stage(stage)
    found = suggestions(run, task, which, most)
    made = {"argilla": argilla.records, "label-studio": label_studio.tasks}[tool](
        found, run.result.run_id
    )
    text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
    new_file(to, lambda path: _write(path, text))
    say(f"{len(found)} suggestions of {which.stage}, doubtful first: {to}")
    if tool == "label-studio":
        labels = [label.name for label in task.card.labels]
        xml = label_studio.interface(task.card.kind, labels)
        new_file(to.with_suffix(".xml"), lambda path: _write(path, xml))
        say(f"labelling interface: {to.with_suffix('.xml')}")


def _dataset(run: FinishedRun, data: Path | None, stage: str | None, target: Path) -> None:
    from harness.export.dataset_folder import write_dataset
    from harness.export.reproducing import command_of
    from harness.run.assembly import load_task

    task = load_task(run.config.task, load_plugins(), data)
    which = run.stage(stage)
    command = command_of(run.config, task.card, load_plugins())
    count = write_dataset(run, task, which, command, target)
    say(f"{count} labels of {which.stage}: {target}")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
