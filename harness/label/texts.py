"""The texts of a user's file: which rows can be labelled, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import category

from harness.data import Kind
from harness.errors import CommandError, DataError, nearest
from harness.files.raw_table import plain
from harness.files.user_file import UserFile, read_rows
from harness.label.by_hand import Answer, answer_of

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
        gold: answers that the file has already, by position.
        wrong: of rows whose answer cannot be read, the reason.
        cut: of usable rows that the student reads the beginning of only, how much of them.
    """

    file: UserFile
    places: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    texts: Mapping[int, str]
    unusable: Mapping[int, str]
    gold: Mapping[int, Answer]
    wrong: Mapping[int, str] = field(default_factory=dict)
    cut: Mapping[int, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """How the file was taken, and which rows cannot be used."""
        return [*self.file.notes, *self.problems()]

    def problems(self) -> list[str]:
        """What ``strict`` refuses, one line each."""
        said = {
            "cannot be used and stay without label": self.unusable,
            "have a label that cannot be read, and count as rows without one": self.wrong,
            "are longer than the student reads, and are labelled by their beginning": self.cut,
        }
        return [
            f"{len(rows)} of {len(self.rows)} rows {what}: {self.named(rows)}"
            for what, rows in said.items()
            if rows
        ]

    def named(self, rows: Mapping[int, str]) -> str:
        """The first of some rows, with their places and what is said of each."""
        return some_of([f"{self.places[row]} ({why})" for row, why in rows.items()])


def some_of(said: Sequence[str]) -> str:
    """The first of many, in a line."""
    return ", ".join(said[:SHOWN]) + (", ..." if said[SHOWN:] else "")


def read_texts(
    path: Path, columns: Mapping[str, str], labels: Sequence[str], kind: Kind = "sequence"
) -> Texts:
    """Read all rows of a file.

    Args:
        path: the file.
        columns: ``text`` and ``label``: the names of these columns; a label column is optional.
        labels: the names that labels, or entity types, may have.
        kind: of the task.

    Raises:
        CommandError: if a column is not there.
        DataError: if the file cannot be read, or no row can be used.
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
    if not texts:
        raise DataError(f"{path}: no row has a text; fill it, or say --column text=NAME")
    cells = {} if named is None else {row: rows[row].get(named) for row in texts}
    gold, wrong = read_answers(cells, texts, labels, kind)
    return Texts(file, places, rows, texts, unusable, gold, wrong)


def refuse_problems(texts: Texts) -> None:
    """Raise a ``DataError`` if a file has rows that cannot be taken as they are."""
    if problems := texts.problems():
        raise DataError(f"{'; '.join(problems)}; mend them, or leave out --strict")


def read_answers(
    cells: Mapping[int, Any], texts: Mapping[int, str], labels: Sequence[str], kind: Kind
) -> tuple[dict[int, Answer], dict[int, str]]:
    """The answers that a person gave to some rows, and what is wrong with those of others."""
    found: dict[int, Answer] = {}
    wrong: dict[int, str] = {}
    for row, cell in cells.items():
        try:
            answer = answer_of(plain(cell), texts[row], labels, kind)
        except ValueError as error:
            wrong[row] = str(error)
            continue
        if answer is not None:
            found[row] = answer
    return found, wrong


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
