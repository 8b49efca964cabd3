"""Labels that an exported model gives to a file of any size, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import Kind, Pool
from harness.errors import CommandError, DataError
from harness.export.rows import Type
from harness.files.user_file import UserFile
from harness.label.texts import SHOWN, text_of
from harness.label.words import spans_in, words
from harness.plugin_manager import Plugins
from harness.protocols import ExportedModel, Progress, no_progress
from harness.run.contracts import blaming

CHUNK = 4096
"""Rows that are in memory together."""
COLUMNS = ("label", "confidence")
"""Columns that are added to a user's own."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file holds, before any model reads it.

    Attributes:
        rows: their number.
        unusable: how many of them have no text that can be used.
        some: the first of these, each with the reason.
    """

    rows: int
    unusable: int
    some: Sequence[str]

    def __str__(self) -> str:
        more = ", ..." if self.unusable > len(self.some) else ""
        return f"{self.unusable} of {self.rows} rows cannot be used: {', '.join(self.some)}{more}"


def outline(file: UserFile) -> Outline:
    """Read a file once to its end, so that a damaged one is refused before any work.

    Raises:
        DataError: naming file and row, or if no row has a text.
    """
    rows, unusable, some = 0, 0, list[str]()
    for place, row in file.rows():
        rows += 1
        if why := text_of(row.get(file.text))[1]:
            unusable += 1
            some += [f"{place} ({why})"] if len(some) < SHOWN else []
    if rows == unusable:
        raise DataError(f"{file.path}: no row has a text; fill it, or say --column text=NAME")
    return Outline(rows, unusable, some)


def open_model(folder: Path, plugins: Plugins) -> ExportedModel:
    """The model in a folder that ``harness export --model`` or ``harness label --model`` wrote.

    Raises:
        CommandError: if it holds none.
        PartError: if it cannot be loaded.
    """
    for part in plugins.parts("model").values():
        if (folder / part.reads).is_file():
            with blaming(f"model {folder}"):
                model: ExportedModel = part.factory(folder)
            return model
    raise CommandError(
        f"{folder}: holds no model; harness export RUN --model DIR and harness label --model DIR "
        "write one"
    )


def added(columns: Sequence[str]) -> Mapping[str, str]:
    """What each of ``COLUMNS`` is called in a file that has such a column already."""
    return {name: f"{name}_given" if name in columns else name for name in COLUMNS}


def types_of(columns: Sequence[str], kind: Kind) -> Mapping[str, Type]:
    """Types of the columns that are added, as ``export.rows`` takes them."""
    label, confidence = added(columns).values()
    found: dict[str, Type] = {confidence: "float"}
    return found | {label: "spans"} if kind == "token" else found


def predicted(
    file: UserFile, model: ExportedModel, total: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    """The rows of a file in their order, each with label and confidence.

    A label is null where the row has no text that can be used; of a token model it is a list of
    spans by characters. Confidence: the mean largest probability, in [0, 1].

    Args:
        file: read as the rows are asked for.
        model: that labels them.
        total: number of rows.
        progress: counts rows.
    """
    names, done = added(file.columns), 0
    rows: Iterable[Mapping[str, Any]] = (row for _, row in file.rows())
    rows = iter(rows)
    while chunk := list(islice(rows, CHUNK)):
        found = _labels([text_of(row.get(file.text)) for row in chunk], model)
        for row, (label, sure) in zip(chunk, found, strict=True):
            own = {column: row.get(column) for column in file.columns}
            yield own | {names["label"]: label, names["confidence"]: sure}
        done += len(chunk)
        progress(done, total)


def _labels(texts: Sequence[tuple[str, str]], model: ExportedModel) -> list[tuple[Any, Any]]:
    """Label and confidence of each text; None of those with a fault."""
    usable = [row for row, (_, why) in enumerate(texts) if not why]
    found: list[tuple[Any, Any]] = [(None, None)] * len(texts)
    if not usable:
        return found
    ids = [str(row) for row in usable]
    given = [texts[row][0] for row in usable]
    token = model.kind == "token"
    split = [words(text) for text in given] if token else []
    examples: Any = [tuple(tokens) for tokens, _ in split] if token else given
    pool = Pool(model.kind, "test", ids, examples)
    with blaming("the model"):
        view = model.view(pool, no_progress)
    best = np.exp(view.log_probabilities.max(axis=1).astype(np.float64))
    sure = np.add.reduceat(best, pool.offsets[:-1]) / np.diff(pool.offsets)
    names = [model.classes[index] for index in view.predictions.tolist()]
    for place, row in enumerate(usable):
        begin, end = pool.offsets[place : place + 2].tolist()
        label = spans_in(given[place], split[place][1], names[begin:end]) if token else names[begin]
        found[row] = (label, round(float(sure[place]), 6))
    return found
