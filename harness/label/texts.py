"""The texts of a user's file: which rows can be labelled, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import category

from harness.errors import CommandError, DataError, nearest
from harness.files.user_file import UserFile, plain, read_rows

LONGEST = 100_000
"""Characters of a text; longer ones are no texts that a model reads."""
SHOWN = 5
"""Places that an error or a note names."""
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Texts:
    """All rows of a user's file.

    Attributes:
        file: where they are from.
        places, rows: of each row, in the file's order.
        texts: of the rows that can be used, by their position.
        unusable: of the others, the reason.
        gold: labels that the file has already, by position.
    """

    file: UserFile
    places: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    texts: Mapping[int, str]
    unusable: Mapping[int, str]
    gold: Mapping[int, str]

    def notes(self) -> list[str]:
        """How the file was taken, and which rows cannot be used."""
        found = list(self.file.notes)
        if self.unusable:
            some = [f"{self.places[row]} ({why})" for row, why in self.unusable.items()]
            more = ", ..." if some[SHOWN:] else ""
            found.append(
                f"{len(self.unusable)} of {len(self.rows)} rows cannot be used and stay without "
                f"label: {', '.join(some[:SHOWN])}{more}"
            )
        return found


def read_texts(
    path: Path, columns: Mapping[str, str], labels: Sequence[str], *, strict: bool = False
) -> Texts:
    """Read all rows of a file.

    Args:
        path: the file.
        columns: ``text`` and ``label``: the names of these columns; a label column is optional.
        labels: the names that labels may have.
        strict: refuse rows that cannot be used.

    Raises:
        CommandError: if a column is not there.
        DataError: if the file cannot be read, a label is unknown, or no row can be used.
    """
    file = read_rows(path, columns.get("text"))
    named = columns.get("label")
    if named is not None and named not in file.columns:
        raise CommandError(
            f"--column label={named}: {path} has no such column; {nearest(named, file.columns)}"
        )
    places, rows = [], []
    for place, row in file.rows():
        places.append(place)
        rows.append(row)
    texts, unusable = {}, {}
    for position, row in enumerate(rows):
        text, why = text_of(row.get(file.text))
        if why:
            unusable[position] = why
        else:
            texts[position] = text
    _refuse(path, places, texts, unusable, strict=strict)
    gold = {} if named is None else _gold([row.get(named) for row in rows], places, labels)
    return Texts(file, places, rows, texts, unusable, gold)


def _refuse(
    path: Path,
    places: Sequence[str],
    texts: Mapping[int, str],
    unusable: Mapping[int, str],
    *,
    strict: bool,
) -> None:
    if not texts:
        raise DataError(f"{path}: no row has a text; fill it, or say --column text=NAME")
    if strict and unusable:
        some = ", ".join(f"{places[row]} ({why})" for row, why in list(unusable.items())[:SHOWN])
        raise DataError(
            f"{len(unusable)} rows cannot be used: {some}; mend them, or leave out --strict"
        )


def text_of(value: Any) -> tuple[str, str]:
    """The text of a cell, and why it cannot be used; empty if it can."""
    value = plain(value)
    if isinstance(value, list | dict):
        return "", "a list, not a text" if isinstance(value, list) else "an object, not a text"
    text = "" if value is None else str(value)
    return text, _fault(text)


def _fault(text: str) -> str:
    if not any(category(character) not in _UNSEEN for character in text):
        return "no text"
    if len(text) > LONGEST:
        return f"{len(text):,} characters, more than {LONGEST:,}"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair"
    return "a NUL character" if "\0" in text else ""


def _gold(values: Sequence[Any], places: Sequence[str], labels: Sequence[str]) -> dict[int, str]:
    said = {row: str(value).strip() for row, value in enumerate(values) if value not in (None, "")}
    return known_labels({row: name for row, name in said.items() if name}, places, labels)


def known_labels(
    said: Mapping[int, str], places: Sequence[str], labels: Sequence[str]
) -> dict[int, str]:
    """The labels that a person gave to some rows, as the task spells them.

    Raises:
        DataError: naming the rows whose label the task does not have.
    """
    names = {name.casefold(): name for name in labels}
    wrong = {row: name for row, name in said.items() if name.casefold() not in names}
    if wrong:
        shown = [f"{places[row]} {name[:40]!r}" for row, name in wrong.items()][:SHOWN]
        raise DataError(
            f"{len(wrong)} rows have a label that is none of {', '.join(labels)}: "
            f"{', '.join(shown)}"
        )
    return {row: names[name.casefold()] for row, name in said.items()}
