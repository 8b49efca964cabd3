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

    from harness.cli.screen.pace import pace
    from harness.export.rows import check_new, write_rows
    from harness.files.user_file import read_rows
    from harness.label.predicting import open_model, outline, predicted, types_of

    check_new(output, "-o")
    columns = columns_of(column)
    if "label" in columns:
        refuse("--column label=...: predict reads no labels; certify and label do")
    texts = read_rows(file, columns.get("text"))
    loaded = open_model(model, load_plugins())
    for line in texts.notes:
        note(line)
    seen = outline(texts)
    if seen.unusable and strict:
        refuse(f"{seen}; mend them, or leave out --strict")
    if seen.unusable:
        note(f"{seen}; they stay without label")
    began, types = monotonic(), types_of(texts.columns, loaded.kind)
    with pace(file.name) as progress:
        count = write_rows(output, predicted(texts, loaded, seen.rows, progress), types)
    seconds = monotonic() - began
    say(f"{count:,} rows in {seconds:.0f} s ({count / seconds:,.0f} rows/s): {output}")
