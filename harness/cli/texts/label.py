"""``harness label``: labels for one's own texts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
)
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.label.request import Prepared


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
    given = dict(locals())
    from harness.api.labels_of_texts import label as do_label
    from harness.cli.run import watching
    from harness.cli.screen.labelled import labels_picture

    def confirm(prepared: Prepared) -> None:
        for line in prepared.texts.notes():
            note(line)
        asked = f"{file}: {prepared.config.annotator.spec}"
        agree(asked, prepared.steps(fresh=fresh), prepared.config.budget_usd, yes=yes)

    named = names_of(labels, types, task, describe or [])
    done = do_label(
        file,
        named if labels else (),
        types=named if types else (),
        columns=columns_of(column),
        settings=set_ or (),
        out=out or RUNS,
        plugins=load_plugins(),
        confirm=confirm,
        progress=partial(watching, quiet=False),
        **{key: given[key] for key in PASSED},
    )
    console().print(labels_picture(done.labelled))
    say(f"labels: {output}")
    if review is not None:
        say(f"review: {review} (fill its column gold, then give the same command again)")
    if model is not None:
        say(f"model: {model}")
    say(f"run: {done.run.path}")


PASSED = (
    *("task", "annotator", "student", "rounds", "seed", "budget_usd", "strict"),
    *("output", "review", "check", "model", "fresh"),
)
"""Options that are arguments of the function of the same name."""
