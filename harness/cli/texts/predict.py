"""``harness predict``: an exported model labels a file of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import load_plugins
from harness.cli.screen.output import note, say
from harness.cli.texts.naming import ColumnOption, columns_of, refuse


def predict(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A folder of harness export --model, or label."),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Texts: .csv .tsv .jsonl .json .parquet .xlsx, .txt (one a line).",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="New file: the rows with labels; of several FILEs a folder of such files.",
        ),
    ],
    column: ColumnOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a file with rows that cannot be used.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="ray[:ADDRESS]", help="Each FILE as a Ray task; OUT: folder."),
    ] = None,
) -> None:
    """Label the texts of a file with a model that was exported. No run is needed.

    OUT has all rows and columns of FILE in their order, and two more: label (of a model for
    entities: the spans by characters) and confidence. Only some thousand rows are in memory at a
    time, so a file may be of any size (a .json file alone is read whole). OUT is there once all
    of it is written. Of several FILEs each keeps its name in the folder OUT; those that are there
    are not labelled again, so the same command goes on. --on ray:ADDRESS,cpus=4,gpus=1 labels
    them on the nodes of a cluster that share the folders.
    """
    from harness.label.predicting import unlabelled

    if len(files) == 1 and on is None:
        _label(model, files[0], output, column, strict=strict)
        return
    left = unlabelled(files, output)
    if there := len(files) - len(left):
        note(f"{there} of {len(files)} files are in {output} and are not labelled again")
    if on is not None:
        _on_ray(on, model, left, column, strict=strict)
        return
    for file, target in left:
        _label(model, file, target, column, strict=strict)


def _on_ray(
    on: str,
    model: Path,
    left: list[tuple[Path, Path]],
    column: list[str] | None,
    *,
    strict: bool,
) -> None:
    """Each file in a process of its own, wherever Ray starts it."""
    from harness.sweep.on_ray import cluster_of, commands_on_ray

    more = [part for one in column or () for part in ("--column", one)]
    more += ["--strict"] if strict else []
    commands = [
        ["predict", *map(str, (model.absolute(), file.absolute(), "-o", target.absolute())), *more]
        for file, target in left
    ]
    failed = []
    for place, code, said in commands_on_ray(cluster_of(on), commands):
        file, target = left[place]
        if code:
            failed.append(file.name)
            note(f"{file}: {said.strip().splitlines()[-1].removeprefix('harness: ')}")
        else:
            say(f"{file}: {target}")
    if failed:
        refuse(f"{len(failed)} of {len(left)} files are not labelled: {', '.join(failed)}")


def _label(
    model: Path, file: Path, output: Path, column: list[str] | None, *, strict: bool
) -> None:
    """One file."""
    from time import monotonic

    from harness.cli.screen.live import pace
    from harness.export.rows import check_new
    from harness.label.predicting import opened

    check_new(output, "-o")
    columns = columns_of(column)
    if "label" in columns:
        refuse("--column label=...: predict reads no labels; certify and label do")
    found = opened(model, file, columns.get("text"), load_plugins(), strict=strict)
    for line in found.notes:
        note(line)
    began = monotonic()
    with pace(file.name) as progress:
        more = found.write(output, progress)
    for line in more:
        note(line)
    seconds = monotonic() - began
    say(f"{found.rows:,} rows in {seconds:.0f} s ({found.rows / seconds:,.0f} rows/s): {output}")
