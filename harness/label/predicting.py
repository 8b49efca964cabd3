"""Labels that an exported model gives to a file of any size, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from harness import abilities
from harness.data import Pool
from harness.errors import CommandError, DataError
from harness.export.rows import Type, write_rows
from harness.files.user_file import UserFile, read_rows
from harness.label.texts import SHOWN, text_of
from harness.label.words import spans_in, words
from harness.plugin_manager import Plugins
from harness.protocols import ExportedModel, Progress, no_progress
from harness.run.contracts import blaming

CHUNK = 4096
"""Rows that are in memory together."""
COLUMNS = ("label", "confidence")
"""Columns that are added to a user's own."""


@dataclass(slots=True)
class Tally:
    """How many rows there are of some sort, and the first of them; mutable, since rows stream."""

    count: int = 0
    some: list[str] = field(default_factory=list)

    def add(self, place: str, why: str) -> None:
        """One more."""
        self.count += 1
        if len(self.some) < SHOWN:
            self.some.append(f"{place} ({why})")

    def __str__(self) -> str:
        return ", ".join(self.some) + (", ..." if self.count > len(self.some) else "")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was read to its end once, how many rows it has, and the model to label it.

    ``notes``: how the file was taken, and which rows stay without label.
    """

    file: UserFile
    model: ExportedModel
    rows: int
    notes: Sequence[str]

    def write(self, output: Path, progress: Progress = no_progress) -> list[str]:
        """Write all rows with label and confidence; a note on rows that were not wholly read."""
        names, kind, cut = added(self.file.columns), self.model.kind, Tally()
        types: dict[str, Type] = {names["confidence"]: "float"}
        types |= {names["label"]: "spans"} if kind == "token" else {}
        write_rows(output, predicted(self.file, self.model, self.rows, progress, cut), types)
        longer = f"{cut.count:,} of {self.rows:,} rows are longer than the model reads"
        return [f"{longer} and are labelled by their beginning: {cut}"] if cut.count else []


def opened(
    model: Path, path: Path, text: str | None, plugins: Plugins, *, strict: bool = False
) -> Opened:
    """Open an exported model's folder, and a file that it is to label.

    Args:
        model, path: these.
        text: the file's column of texts; None: the one of that name, or the only one.
        plugins: whose kinds of models are known.
        strict: refuse a file with rows that cannot be used.

    Raises:
        HarnessError: naming what is wrong, a damaged file's rows too, before any work.
    """
    file = read_rows(path, text)
    loaded = open_model(model, plugins)
    rows, unusable = _looked_through(file)
    said = f"{unusable.count:,} of {rows:,} rows cannot be used"
    if unusable.count and strict:
        raise CommandError(f"{said}: {unusable}; mend them, or leave out --strict")
    problems = [f"{said} and stay without label: {unusable}"] if unusable.count else []
    return Opened(file, loaded, rows, [*file.notes, *problems])


def unlabelled(files: Sequence[Path], folder: Path) -> list[tuple[Path, Path]]:
    """The files whose rows are not in a folder yet, each with where they go: under its name.

    Raises:
        CommandError: if two have the same name, or the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"-o {folder}: is a file; several files go into a folder")
    targets = [folder / file.name for file in files]
    if twice := [one for one in targets if targets.count(one) > 1]:
        raise CommandError(f"two files are called {twice[0].name!r}, and both would be {twice[0]}")
    pairs = zip(files, targets, strict=True)
    return [(file, target) for file, target in pairs if not target.exists()]


def _looked_through(file: UserFile) -> tuple[int, Tally]:
    """The number of rows, and those that cannot be used; a ``DataError`` if no row has a text."""
    rows, unusable = 0, Tally()
    for place, row in file.rows():
        rows += 1
        if why := text_of(row.get(file.text))[1]:
            unusable.add(place, why)
    if rows == unusable.count:
        raise DataError(f"{file.path}: no row has a text; fill it, or say --column text=NAME")
    return rows, unusable


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


def predicted(
    file: UserFile, model: ExportedModel, total: int, progress: Progress, cut: Tally
) -> Iterator[dict[str, Any]]:
    """The rows of a file in their order, each with label and confidence.

    A label is null where the row has no text that can be used; of a token model it is a list of
    spans by characters. Confidence: the mean largest probability, in [0, 1].

    Args:
        file: read as the rows are asked for.
        model: that labels them.
        total: number of rows.
        progress: counts rows.
        cut: gets the rows of which the model reads the beginning only.
    """
    names, done, rows = added(file.columns), 0, file.rows()
    while chunk := list(islice(rows, CHUNK)):
        texts = [(place, *text_of(row.get(file.text))) for place, row in chunk]
        usable = [at for at, (_, _, why) in enumerate(texts) if not why]
        labels = _labels([texts[at][:2] for at in usable], model, cut)
        found = dict(zip(usable, labels, strict=True))
        for at, (_, row) in enumerate(chunk):
            label, sure = found.get(at, (None, None))
            own = {column: row.get(column) for column in file.columns}
            yield own | {names["label"]: label, names["confidence"]: sure}
        done += len(chunk)
        progress(done, total)


def _labels(
    texts: Sequence[tuple[str, str]], model: ExportedModel, cut: Tally
) -> Iterator[tuple[Any, float]]:
    """Label and confidence of each text, which comes with its place."""
    if not texts:
        return
    token = model.kind == "token"
    split = [words(text) for _, text in texts] if token else []
    examples: Any = [tuple(tokens) for tokens, _ in split] if token else [text for _, text in texts]
    pool = Pool(model.kind, "test", [place for place, _ in texts], examples)
    with blaming("the model"):
        view = model.view(pool, no_progress)
        for row, said in abilities.cut(model, pool).items():
            cut.add(pool.ids[row], said)
    best = np.exp(view.log_probabilities.max(axis=1).astype(np.float64))
    sure = np.add.reduceat(best, pool.offsets[:-1]) / np.diff(pool.offsets)
    names = [model.classes[index] for index in view.predictions.tolist()]
    for row, (begin, end) in enumerate(pairwise(pool.offsets.tolist())):
        label = spans_in(texts[row][1], split[row][1], names[begin:end]) if token else names[begin]
        yield label, round(float(sure[row]), 6)
