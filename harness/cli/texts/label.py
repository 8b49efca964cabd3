"""``harness label``: labels for one's own texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import load_plugins
from harness.cli.screen.output import console, note, say
from harness.cli.texts.consent import agree
from harness.cli.texts.naming import (
    AnnotatorOption,
    ColumnOption,
    DescribeOption,
    LabelsOption,
    StudentOption,
    Text,
    TypesOption,
    columns_of,
    names_of,
    refuse,
)
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.label.labelling import Labelled
    from harness.label.request import Prepared
    from harness.plugin_manager import Plugins
    from harness.record.finished import FinishedRun


def label(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Texts: .csv .tsv .jsonl .json .parquet .xlsx, .txt (one a line)."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="The same rows with labels.")
    ],
    labels: LabelsOption = None,
    types: TypesOption = None,
    task: Annotated[
        Text, typer.Option(metavar="SPEC", help="A task whose labels and prompt to use, instead.")
    ] = None,
    describe: DescribeOption = None,
    column: ColumnOption = None,
    annotator: AnnotatorOption = None,
    student: StudentOption = None,
    budget_usd: Annotated[float | None, typer.Option(metavar="X", help="Most $ to pay.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of annotate, train, select.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn.")] = None,
    review: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="New: written for a person to fill its column gold, doubtful rows first. "
            "Existing: what was filled in is taken.",
        ),
    ] = None,
    check: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Begin --review with N rows drawn at random: they say how many labels are right.",
        ),
    ] = 0,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the student's model.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Pay what the plan says, unasked.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, forgetting what is recorded.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse a file with rows that are not fully read."),
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="One key, e.g. student.epochs=3."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where runs are kept (results/runs)."),
    ] = None,
) -> None:
    """Label the texts of a file, without any label to begin with.

    OUT has all rows and columns of FILE in their order, and more columns: label, confidence,
    given_by, trusted, candidates, reason. Where a language model is asked, the plan with its
    price comes first. The same command goes on with a run that was stopped.
    """
    from harness.export.model_export import export_model
    from harness.export.rows import write_rows
    from harness.label.labelling import labelled
    from harness.label.request import Request, prepare
    from harness.label.review import read_review, write_review

    if check and review is None:
        refuse("--check N: needs --review FILE, where those rows are to be checked")
    _check_output(output, file, review)
    options: dict[str, Any] = {
        "annotator.spec": annotator,
        "student.spec": student,
        "budget_usd": budget_usd,
        "rounds": rounds,
        "seed": seed,
        "student.save": True if model else None,
    }
    named = names_of(labels, types, task, describe or [])
    request = Request(
        file,
        named,
        "token" if types else "sequence",
        task,
        columns=columns_of(column),
        options=options,
        settings=tuple(set_ or ()),
        strict=strict,
        out=out or RUNS,
    )
    plugins = load_plugins()
    prepared = prepare(request, plugins)
    if model is not None:
        _check_model(prepared, model)
    for line in prepared.texts.notes():
        note(line)
    card = prepared.parts.task.card
    names = [one.name for one in card.labels]
    person = read_review(review, prepared.texts, names, card.kind) if review else None
    asked = f"{file}: {prepared.config.annotator.spec}"
    agree(asked, prepared.steps(fresh=fresh), prepared.config.budget_usd, yes=yes)
    run = _run(prepared, plugins, fresh=fresh)
    gold, checked = (person.gold, person.checked) if person else ({}, ())
    found = labelled(run, prepared.parts.task, prepared.texts, gold, checked)
    write_rows(output, found.rows(), found.types())
    if review is not None and not review.exists():
        write_review(review, found, check, prepared.config.seed)
    if model is not None and not _has_model(model, run.result.run_id):
        export_model(run, plugins, model)
    _summary(found, names, output, review, model, run)


def _check_output(output: Path, file: Path, review: Path | None) -> None:
    """Refuse to write over anything but what this command wrote."""
    from harness.export.rows import check_new
    from harness.files.user_file import columns_of as columns_in
    from harness.label.labelling import COLUMNS

    if output.resolve() == file.resolve():
        refuse(f"-o {output}: is the file of texts itself; choose another name")
    if review is not None and not review.exists():
        check_new(review, "--review")
    if output.exists():
        ours = {name.removesuffix("_given") for name in columns_in(output)}
        if set(COLUMNS) <= ours:
            return
    check_new(output, "-o")


def _run(prepared: Prepared, plugins: Plugins, *, fresh: bool) -> FinishedRun:
    from harness.cli.run import watching
    from harness.label.request import run_of

    with watching(prepared.name, quiet=False) as watcher:
        return run_of(prepared, plugins, watcher, fresh=fresh)


def _has_model(target: Path, run_id: str) -> bool:
    """Whether the folder holds this run's model already."""
    card = target / "README.md"
    return card.is_file() and run_id in card.read_text(encoding="utf-8")


def _check_model(prepared: Prepared, target: Path) -> None:
    """Refuse, before anything is sent, a model that could not be written."""
    from harness.export.model_export import check_empty, check_exports

    check_exports(prepared.parts.student, prepared.config.student.spec or "")
    if not _has_model(target, prepared.name):
        check_empty(target)


def _summary(
    found: Labelled,
    names: list[str],
    output: Path,
    review: Path | None,
    model: Path | None,
    run: FinishedRun,
) -> None:
    from harness.cli.screen.labelled import labels_picture

    console().print(labels_picture(found, names))
    say(f"labels: {output}")
    if review is not None:
        say(f"review: {review} (fill its column gold, then give the same command again)")
    if model is not None:
        say(f"model: {model}")
    say(f"run: {run.folder.path}")
