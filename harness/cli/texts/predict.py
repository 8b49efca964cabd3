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
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Texts: .csv .tsv .jsonl .json .parquet .xlsx, .txt (one a line)."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="New file: the rows with labels.")
    ],
    column: ColumnOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a file with rows that cannot be used.")
    ] = False,
) -> None:
    """Label the texts of a file with a model that was exported. No run is needed.

    OUT has all rows and columns of FILE in their order, and two more: label (of a model for
    entities: the spans by characters) and confidence. Only some thousand rows are in memory at a
    time, so a file may be of any size (a .json file alone is read whole). OUT is there once all
    of it is written.
    """
    from time import monotonic

    from harness.cli.texts.pace import pace
    from harness.export.rows import check_new, write_rows
    from harness.files.user_file import read_rows
    from harness.label.predicting import Tally, looked_through, open_model, predicted, types_of

    check_new(output, "-o")
    columns = columns_of(column)
    if "label" in columns:
        refuse("--column label=...: predict reads no labels; certify and label do")
    texts = read_rows(file, columns.get("text"))
    loaded = open_model(model, load_plugins())
    for line in texts.notes:
        note(line)
    total, unusable = looked_through(texts)
    if unusable.count:
        said = f"{unusable.count:,} of {total:,} rows cannot be used"
        if strict:
            refuse(f"{said}: {unusable}; mend them, or leave out --strict")
        note(f"{said} and stay without label: {unusable}")
    began, types, cut = monotonic(), types_of(texts.columns, loaded.kind), Tally()
    with pace(file.name) as progress:
        write_rows(output, predicted(texts, loaded, total, progress, cut), types)
    if cut.count:
        longer = f"{cut.count:,} of {total:,} rows are longer than the model reads"
        note(f"{longer} and are labelled by their beginning: {cut}")
    seconds = monotonic() - began
    say(f"{total:,} rows in {seconds:.0f} s ({total / seconds:,.0f} rows/s): {output}")
