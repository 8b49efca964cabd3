"""Rows that a person labelled, matched to the examples of a pool."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import iob2
from harness.data import IntArray, Pool, TaskCard
from harness.errors import CommandError, DataError
from harness.files.raw_table import plain
from harness.files.user_file import UserFile, columns_of, read_rows
from harness.label.by_hand import answer_of, dense, places_of, tags_of
from harness.label.review import DOUBTFUL
from harness.label.texts import some_of

ANSWERS = ("gold", "label", "tags")
"""Columns of a person's answers, the first that is there."""


@dataclass(frozen=True, slots=True)
class GoldRows:
    """Gold labels of some rows of a pool.

    Attributes:
        file: they are from.
        rows: int64 ``[n]``, of the pool.
        labels: int32 ``[units]`` of these rows, class indices.
        unmatched: places of rows whose id and text the pool does not have.
        conflicting: places of rows that repeat a text with another label; they do not count.
        wrong: places of rows whose label cannot be read, each with the reason.
        doubtful: how many rows were chosen as doubtful and so do not measure.
    """

    file: Path
    rows: IntArray
    labels: IntArray
    unmatched: Sequence[str] = ()
    conflicting: Sequence[str] = ()
    wrong: Sequence[str] = ()
    doubtful: int = 0

    def notes(self) -> list[str]:
        """Which rows do not count, and why."""
        said = {
            "are not in the run's pool, neither by id nor by text": self.unmatched,
            "repeat a text with another label": self.conflicting,
            "have a label that cannot be read": self.wrong,
        }
        chosen = f"{self.doubtful} rows were chosen as doubtful, not at random"
        return [
            f"{len(places)} rows {what}, and do not count: {some_of(places)}"
            for what, places in said.items()
            if places
        ] + ([f"{self.file}: {chosen}, and do not count"] if self.doubtful else [])


def read_gold(path: Path, columns: Mapping[str, str], pool: Pool, card: TaskCard) -> GoldRows:
    """Read a file of rows with labels by hand.

    Args:
        path: any table; a row without label counts as not there.
        columns: ``text`` and ``label``: the names of these columns, where they are not plain.
        pool: whose examples are meant, by ``id``, else by text.
        card: of the task.

    Raises:
        CommandError: if the columns are not there.
        DataError: if the file cannot be read, or no row of it is in the pool.
    """
    named = columns.get("label") or _answers(path, columns_of(path))
    file = _opened(path, columns.get("text"))
    matching = _Matching(pool, card)
    found: dict[int, tuple[int, ...]] = {}
    said: dict[str, list[tuple[str, tuple[int, ...]]]] = defaultdict(list)  # by text
    unmatched, wrong, doubtful = [], [], 0
    for place, row in file.rows():
        value = plain(row.get(named))
        if value is None or str(value).strip() == "":
            continue
        if row.get("why") == DOUBTFUL:
            doubtful += 1
            continue
        target = matching.row(row, file.text)
        if target is None:
            unmatched.append(place)
            continue
        try:
            labels = matching.labels(target, value, row.get(file.text))
        except ValueError as error:
            wrong.append(f"{place} ({error})")
            continue
        said[matching.key(target)].append((place, labels))
        found[target] = labels
    conflicting = {key for key, rows in said.items() if len({labels for _, labels in rows}) > 1}
    kept = sorted(row for row in found if matching.key(row) not in conflicting)
    places = [place for key in conflicting for place, _ in said[key]]
    if not kept:
        raise DataError(
            f"{path}: none of its rows counts: {len(unmatched)} are not in the run's pool (by id "
            f"or text), {len(wrong)} have a label that cannot be read, {len(places)} conflict"
        )
    flat = [label for row in kept for label in found[row]]
    return GoldRows(
        path,
        np.asarray(kept, dtype=np.int64),
        np.asarray(flat, dtype=np.int32),
        unmatched,
        places,
        wrong,
        doubtful,
    )


def _opened(path: Path, named: str | None) -> UserFile:
    """The file, whose rows may have an id and no text."""
    try:
        return read_rows(path, named)
    except CommandError:
        if named is None and "id" in columns_of(path):
            return read_rows(path, "id")
        raise


def _answers(path: Path, columns: Sequence[str]) -> str:
    """The column of a person's answers."""
    found = next((name for name in ANSWERS if name in columns), None)
    if found is None:
        listed = ", ".join(columns[:12])
        raise CommandError(
            f"{path}: which column holds the labels by hand? Its columns are {listed}; say "
            "--column label=NAME"
        )
    if found != "gold" and "given_by" in columns:
        raise CommandError(
            f"{path}: its column {found!r} holds what the program gave; write labels by hand into "
            "a column gold, or say --column label=NAME"
        )
    return found


class _Matching:
    """Finds examples of a pool, and reads their labels."""

    def __init__(self, pool: Pool, card: TaskCard) -> None:
        self._pool, self._card = pool, card
        self._ids = {id_: row for row, id_ in enumerate(pool.ids)}
        self._texts: dict[str, list[int]] = defaultdict(list)
        self._keys = [dense(text) for text in pool.texts]
        for row, key in enumerate(self._keys):
            self._texts[key].append(row)
        self._classes = {name: index for index, name in enumerate(card.classes)}

    def row(self, row: Mapping[str, Any], text: str) -> int | None:
        """The example that a row means, by its id or else its text; each but the last once."""
        found = self._ids.get(str(row.get("id")))
        if found is not None:
            return found
        rows = self._texts.get(dense(self._text(row.get(text))), [])
        return rows.pop(0) if len(rows) > 1 else next(iter(rows), None)

    def _text(self, value: Any) -> str:
        """The text of a cell; of a token task perhaps a list of tokens."""
        value = plain(value)
        if self._card.kind == "token":
            value = _listed(value)
        return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")

    def key(self, row: int) -> str:
        """The text of an example, without its spaces."""
        return self._keys[row]

    def labels(self, target: int, value: Any, text: Any) -> tuple[int, ...]:
        """Class indices of a row's answer; a ``ValueError`` if it cannot be read."""
        names = [label.name for label in self._card.labels]
        if self._card.kind == "sequence":
            answer = answer_of(value, "", names, "sequence")
            return (self._classes[str(answer)],)
        tokens, tags = self._pool.tokens[target], _listed(value)
        if isinstance(tags, list) and tags and all(isinstance(tag, str) for tag in tags):
            if len(tags) != len(tokens):
                raise ValueError(f"{len(tags)} tags of {len(tokens)} tokens")
        else:
            written = self._text(text)
            if dense(written) != self.key(target):  # matched by its id
                written = " ".join(tokens)
            places = places_of(written, tokens)
            spans = answer_of(value, written, names, "token", places)
            assert isinstance(spans, tuple)
            tags = tags_of(written, spans, places)
        if unknown := [tag for tag in tags if tag not in self._classes]:
            raise ValueError(f"no tag is called {unknown[0]!r}")
        if fault := iob2.fault(tags):
            raise ValueError(fault)
        return tuple(self._classes[tag] for tag in tags)


def _listed(value: Any) -> Any:
    """A list that a cell of text holds in JSON; else the value."""
    if isinstance(value, str) and value.startswith("["):
        try:
            found = json.loads(value)
        except ValueError:
            return value
        return found if isinstance(found, list) else value
    return value
