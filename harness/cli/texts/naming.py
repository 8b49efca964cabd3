"""Options that name labels and columns, as the commands for a user's own texts take them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from harness.errors import CommandError

Text = str | None
LabelsOption = Annotated[
    Text, typer.Option(metavar="A,B,C", help="The labels, separated by commas.")
]
TypesOption = Annotated[
    Text, typer.Option(metavar="A,B", help="Entity types to find in the texts, instead.")
]
DescribeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="A=TEXT", help="What a label means; or a TOML file of such lines."),
]
AnnotatorOption = Annotated[Text, typer.Option(metavar="SPEC", help="Who labels.")]
StudentOption = Annotated[Text, typer.Option(metavar="SPEC", help="Who learns from it.")]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(metavar="text=NAME", help="The column of texts; label=NAME: of known labels."),
]


def refuse(message: str) -> NoReturn:
    """End the command: it is wrong."""
    raise CommandError(message)


def columns_of(given: list[str] | None) -> dict[str, str]:
    """``text`` and ``label``, as ``--column`` names them."""
    found = _pairs(given or [], "--column")
    if wrong := set(found) - {"text", "label"}:
        refuse(f"--column {wrong.pop()}=...: write text=NAME or label=NAME")
    return found


def names_of(
    labels: str | None, types: str | None, task: str | None, describe: list[str]
) -> dict[str, str]:
    """The labels with their descriptions."""
    given = [one for one in (labels, types, task) if one is not None]
    if len(given) != 1:
        refuse('name the labels: --labels "a,b,c" (or --types "person,place", or --task SPEC)')
    if task is not None:
        if describe:
            refuse("--describe: the task describes its labels; leave it out")
        return {}
    names = listed(given[0])
    if len(set(names)) < len(names):
        refuse(f"two labels have the same name: {given[0]}")
    if labels is not None and len(names) < 2:
        refuse(f"--labels {labels!r}: name at least two labels, separated by commas")
    said = _pairs(describe, "--describe")
    if unknown := [name for name in said if name not in names]:
        refuse(f"--describe {unknown[0]}: no such label; the labels are {', '.join(names)}")
    return {name: said.get(name, "") for name in names}


def listed(text: str) -> list[str]:
    """Names that commas separate, also those of Chinese and Arabic."""
    names = re.split("[,，،、]", text)
    return [name.strip() for name in names if name.strip()]


def _pairs(given: list[str], option: str) -> dict[str, str]:
    """``NAME=VALUE`` of an option that may be repeated; of ``--describe`` also from a file."""
    import tomllib

    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if equals:
            found[name.strip()] = value.strip()
        elif option == "--describe" and Path(one).is_file():
            try:
                read = tomllib.loads(Path(one).read_text(encoding="utf-8-sig"))
            except (ValueError, OSError) as error:
                refuse(f"--describe {one}: not readable as TOML ({error})")
            found |= {name: str(value) for name, value in read.items()}
        else:
            refuse(f"{option} {one}: write NAME=VALUE")
    return found
