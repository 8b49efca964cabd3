"""Where the data of a task comes from: a folder of ``--data``, declared files, or the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.data import ABSTAINED
from harness.errors import DataError
from harness_tasks.checking import checked_rows
from harness_tasks.declaration import Declaration, HubSource, Sizes
from harness_tasks.files import find_files, same_bytes
from harness_tasks.hub import HubData, load_hub, title
from harness_tasks.reading import READING, key_of_files, key_of_table, rows_of_files
from harness_tasks.roles import Schema
from harness_tasks.store import Rows, store

_PINNED = re.compile(r"[0-9a-f]{40}")


class Digest(Protocol):
    """What ``hashlib`` makes."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""


class Source(Protocol):
    """The data of one task."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know before anything is read."""

    @property
    def at_hand(self) -> bool:
        """Whether reading needs no network."""

    def read(self, split: str, schema: Schema, notes: list[str]) -> Rows | None:
        """A split, checked; None where there is none. What was converted goes to ``notes``."""

    def update(self, digest: Digest, schema: Schema) -> None:
        """Add all that decides what is read to a fingerprint."""

    def origin(self) -> Mapping[str, Any]:
        """Where it is, for a result's provenance."""


def source_of(declaration: Declaration, file: Path, data: Path | None) -> Source:
    """The source of a task's data: ``--data``, then ``[files]``, then ``[hub]``.

    Args:
        declaration: of the task.
        file: its TOML file, to which ``[files]`` are relative.
        data: the folder of ``--data``, or None.

    Raises:
        DataError: if there is none, or files of it are missing.
    """
    name = declaration.name
    if data is not None:
        folders = (data / name, data / name.replace("-", "_"))
        folder = next((folder for folder in folders if folder.is_dir()), None)
        if folder is not None:
            return _folder_source(folder, declaration)
        if (data / "train.jsonl").is_file():
            raise DataError(f"{data}: holds train.jsonl itself; pass the folder above {name}/")
        if not declaration.files:
            raise DataError(f"{data / name}: no such folder, so there is no data for {name!r}")
    if declaration.files:
        return _declared_files(declaration, file)
    if declaration.hub is not None:
        published = _plain(declaration.sizes)
        expected = _plain(declaration.hub.sizes) or published
        return RepositorySource(declaration.hub, name, expected, published, file.parent)
    raise DataError(
        f"task {name!r}: its data is not shipped; pass --data DIR (or set HARNESS_DATA) "
        f"with DIR/{name}/train.jsonl and test.jsonl"
    )


def _declared_files(declaration: Declaration, file: Path) -> FileSource:
    files: dict[str, tuple[Path, ...]] = {
        str(split): (file.parent / path,) for split, path in declaration.files.items()
    }
    for (path,) in files.values():
        if not path.is_file():
            raise DataError(f"{path}: no such file, but {file} names it")
    notes = (*_notes_on_copies(files), *_notes_on_outside(files, file))
    return FileSource(files, (_plain(declaration.sizes),), notes)


def _notes_on_outside(files: Mapping[str, tuple[Path, ...]], file: Path) -> Iterator[str]:
    """Say which files a task takes from elsewhere than below its own folder."""
    folder = file.parent.resolve()
    for split, (path,) in files.items():
        if not path.resolve().is_relative_to(folder):
            yield (
                f"{file}: [files] {split} is {path.resolve()}, outside the task's own folder; "
                "is that meant?"
            )


def _folder_source(folder: Path, declaration: Declaration) -> FileSource:
    files = find_files(folder, declaration.hub)
    notes = _notes_on_copies(files)
    sizes = [_plain(declaration.sizes)]
    if declaration.hub is not None and declaration.hub.sizes:
        sizes.append(_plain(declaration.hub.sizes))
    return FileSource(files, tuple(sizes), notes)


def _plain(sizes: Sizes) -> dict[str, int]:
    return {str(split): size for split, size in sizes.items()}


def _notes_on_copies(files: dict[str, tuple[Path, ...]]) -> tuple[str, ...]:
    """Say which splits are copies; a validation split that is the test set is taken away."""
    notes = []
    test = files.get("test", ())
    if same_bytes(files.get("validation", ()), test) and "validation" in files:
        copy = files.pop("validation")[0]
        notes.append(
            f"{copy} has the same bytes as {test[0].name}: it is the test set and not used for "
            "validation"
        )
    if test and same_bytes(files["train"], test):
        notes.append(
            f"{test[0]} has the same bytes as {files['train'][0].name}: scores on it are scores "
            "on the training examples"
        )
    return tuple(notes)


def _note_other_split(
    source: str, rows: int, split: str, published: Mapping[str, int], notes: list[str]
) -> None:
    """Say that a split of the hub's is not the one of the published figures."""
    if split in published and rows != published[split]:
        notes.append(
            f"{source}: {rows} rows are the hub's split; the published figures are of "
            f"{published[split]} rows, so scores are not comparable with them"
        )


def _note_absent(source: str, rows: Rows, schema: Schema, notes: list[str]) -> None:
    """Say which classes have no example: perhaps one file of several is missing.

    In token tasks a tag ``I-`` that does not occur says nothing; nor does a pool without gold.
    """
    labels = rows.gold.labels[rows.gold.labels != ABSTAINED]
    if not len(labels):
        return
    of_tokens = schema.kind == "token"
    counts = np.bincount(labels, minlength=len(schema.classes))
    named = zip(schema.classes, counts.tolist(), strict=True)
    missing = [name for name, count in named if not count]
    absent = [name for name in missing if not (of_tokens and name.startswith("I-"))]
    if absent:
        notes.append(f"{source}: no row has {', '.join(repr(name) for name in absent)}")


@dataclass(frozen=True)
class FileSource:
    """Files of the user's own.

    Attributes:
        files: of each split, in order.
        sizes: sizes that the declaration knows, of which one should fit; those of the
            published figures first.
        notes: what the user should know.
    """

    files: Mapping[str, tuple[Path, ...]]
    sizes: tuple[Mapping[str, int], ...]
    notes: tuple[str, ...] = ()
    at_hand = True

    def read(self, split: str, schema: Schema, notes: list[str]) -> Rows | None:
        """Read a split; a size that nobody expects is noted."""
        if split not in self.files:
            return None
        files = self.files[split]
        key = key_of_files(files, schema)
        rows = store(rows_of_files(files, schema, notes), split, schema.kind, key, notes)
        if len(rows.pool) == 0:
            raise DataError(f"{files[0]}: holds no rows; fill it, or remove it")
        _note_absent(str(files[0]), rows, schema, notes)
        expected = [sizes[split] for sizes in self.sizes if split in sizes]
        if len(rows.pool) in expected[1:]:
            _note_other_split(str(files[0]), len(rows.pool), split, self.sizes[0], notes)
        if expected and len(rows.pool) not in expected:
            wanted = " or ".join(str(size) for size in expected)
            name = files[0]
            notes.append(f"{name}: {len(rows.pool)} rows; the declaration expects {wanted}")
        return rows

    def update(self, digest: Digest, schema: Schema) -> None:
        """Every file, with its suffix, which says how it is read."""
        for split, files in sorted(self.files.items()):
            digest.update(f"{split}{key_of_files(files, schema)}".encode())

    def origin(self) -> Mapping[str, Any]:
        """The files' names without their folders, which tell nothing elsewhere."""
        return {
            "files": {split: [file.name for file in files] for split, files in self.files.items()}
        }


@dataclass(frozen=True)
class RepositorySource:
    """A repository of the hub.

    Attributes:
        hub: where it is.
        task: the task's name, for messages.
        sizes: rows that each split must have.
        published: rows of each split of the published figures.
        beside: the folder of the TOML file, for a repository that is a folder.
        notes: what the user should know.
    """

    hub: HubSource
    task: str
    sizes: Mapping[str, int]
    published: Mapping[str, int]
    beside: Path
    notes: tuple[str, ...] = ()
    at_hand = False
    _read: dict[str, tuple[Rows, list[str]]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _data(self) -> HubData:
        data = load_hub(self.hub, self.task, self.beside)
        for split, size in self.sizes.items():
            if split not in data.tables:
                have = ", ".join(data.tables)
                raise DataError(
                    f"{title(self.hub)}: the declaration expects a "
                    f"{split} split of {size} rows, but there is none (it has: {have})"
                )
        return data

    def read(self, split: str, schema: Schema, notes: list[str]) -> Rows | None:
        """Read a split; another size than the declared one is an error."""
        table = self._data.tables.get(split)
        if table is None:
            return None
        if split not in self._read:
            said: list[str] = []
            found = checked_rows(table, schema, said, hub=True)
            rows = store(found, split, schema.kind, key_of_table(table, schema), said)
            expected = self.sizes.get(split)
            if expected is not None and len(rows.pool) != expected:
                raise DataError(
                    f"{table.name}: {len(rows.pool)} rows; the declaration expects {expected}; "
                    "the repository has changed, or [hub] names another one"
                )
            _note_other_split(table.name, len(rows.pool), split, self.published, said)
            self._note_branch(said)
            self._read[split] = (rows, said)
        rows, said = self._read[split]
        notes += said
        return rows

    def _note_branch(self, notes: list[str]) -> None:
        """Say which commit a branch was, since it may be another one tomorrow."""
        if _PINNED.fullmatch(self.hub.revision) or self.hub.is_folder:
            return
        notes.append(
            f"{self.hub.repository}@{self.hub.revision} is a branch and may change; its commit "
            f"was {self._data.commit or 'not to be learnt'}"
        )

    def update(self, digest: Digest, schema: Schema) -> None:
        """The contents themselves: the same rows are the same data, whatever the commit."""
        digest.update(f"reading {READING} {self.hub.repository}".encode())
        for split in sorted(self._data.tables):
            rows = self.read(split, schema, [])
            if rows is not None:
                digest.update("\n".join((split, *rows.pool.ids)).encode())
                digest.update(rows.gold.offsets.tobytes() + rows.gold.labels.tobytes())

    def origin(self) -> Mapping[str, Any]:
        """The repository and the commit that was loaded, if that is known; or the folder."""
        if self.hub.is_folder:
            return {"folder": self.hub.repository}
        return {
            "repository": self.hub.repository,
            "revision": self.hub.revision,
            "commit": self._data.commit,
        }
