"""Where the data of a task comes from: a folder of ``--data``, declared files, or the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

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


def source_of(declaration: Declaration, file: Path, data: Path | None) -> Source:
    """The source of a task's data: ``--data``, then ``[files]``, then ``[hub]``.

    Args:
        file: the task's TOML file, to which ``[files]`` are relative.
        data: the folder of ``--data``, or None.

    Raises:
        DataError: if there is none, or files of it are missing.
    """
    name, hub = declaration.name, declaration.hub
    sizes, hub_sizes = _plain(declaration.sizes), _plain(hub.sizes) if hub else {}
    if data is not None:
        folders = (data / name, data / name.replace("-", "_"))
        folder = next((folder for folder in folders if folder.is_dir()), None)
        if folder is not None:
            return _file_source(find_files(folder, hub), sizes, hub_sizes)
        if (data / "train.jsonl").is_file():
            raise DataError(f"{data}: holds train.jsonl itself; pass the folder above {name}/")
        if not declaration.files:
            raise DataError(f"{data / name}: no such folder, so there is no data for {name!r}")
    if declaration.files:
        named = {str(split): file.parent / path for split, path in declaration.files.items()}
        for path in named.values():
            if not path.is_file():
                raise DataError(f"{path}: no such file, but {file} names it")
        source = _file_source({split: (path,) for split, path in named.items()}, sizes)
        return replace(source, notes=(*source.notes, *_notes_on_outside(source, file)))
    if hub is not None:
        return RepositorySource(hub, name, hub_sizes or sizes, sizes, file.parent)
    raise DataError(
        f"task {name!r}: its data is not shipped; pass --data DIR (or set HARNESS_DATA) "
        f"with DIR/{name}/train.jsonl and test.jsonl"
    )


def _file_source(files: dict[str, tuple[Path, ...]], *sizes: Mapping[str, int]) -> FileSource:
    notes = _notes_on_copies(files)
    return FileSource(files, tuple(one for one in sizes if one), notes)


def _notes_on_outside(source: FileSource, declared_in: Path) -> Iterator[str]:
    folder = declared_in.parent.resolve()
    for split, (path,) in source.files.items():
        if not path.resolve().is_relative_to(folder):
            yield (
                f"{declared_in}: [files] {split} is {path.resolve()}, outside the task's own "
                "folder; is that meant?"
            )


def _plain(sizes: Sizes) -> dict[str, int]:
    return {str(split): size for split, size in sizes.items()}


def _notes_on_copies(files: dict[str, tuple[Path, ...]]) -> tuple[str, ...]:
    """Notes on splits that are copies; a validation split that is the test set is removed."""
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
    """Note that a split of the hub is not the one of the published figures."""
    if split in published and rows != published[split]:
        notes.append(
            f"{source}: {rows} rows are the hub's split; the published figures are of "
            f"{published[split]} rows, so scores are not comparable with them"
        )


def _note_absent(source: str, rows: Rows, schema: Schema, notes: list[str]) -> None:
    """Note classes without examples: perhaps a file is missing. Absent ``I-`` tags are normal."""
    labels = rows.gold.labels[rows.gold.labels != ABSTAINED]
    if not len(labels):
        return
    counts = np.bincount(labels, minlength=len(schema.classes))
    missing = [name for name, count in zip(schema.classes, counts, strict=True) if not count]
    tokens = schema.kind == "token"
    absent = [name for name in missing if not (tokens and name.startswith("I-"))]
    if absent:
        notes.append(f"{source}: no row has {', '.join(repr(name) for name in absent)}")


@dataclass(frozen=True)
class FileSource:
    """The user's own files.

    Attributes:
        files: of each split, in order.
        sizes: the declaration's, of which one should fit; those of the published figures first.
        notes: for the user, before anything is read.
        at_hand: whether reading needs no network.
    """

    files: Mapping[str, tuple[Path, ...]]
    sizes: tuple[Mapping[str, int], ...]
    notes: tuple[str, ...] = ()
    at_hand = True

    def read(self, split: str, schema: Schema, notes: list[str]) -> Rows | None:
        """A checked split, or None; ``notes`` gets conversions and unexpected sizes."""
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
            notes.append(f"{files[0]}: {len(rows.pool)} rows; the declaration expects {wanted}")
        return rows

    def content(self, schema: Schema) -> Iterator[bytes]:
        """All that decides what is read, for a fingerprint: every file and its suffix."""
        for split, files in sorted(self.files.items()):
            yield f"{split}{key_of_files(files, schema)}".encode()

    def origin(self) -> Mapping[str, Any]:
        """The files' names, without folders, for a result's provenance."""
        return {
            "files": {split: [file.name for file in files] for split, files in self.files.items()}
        }


@dataclass(frozen=True)
class RepositorySource:
    """A repository of the hub.

    Attributes:
        sizes: rows that each split must have.
        published: rows of each split of the published figures.
        parent: the folder of the TOML file, for a repository that is a folder.
    """

    hub: HubSource
    task: str
    sizes: Mapping[str, int]
    published: Mapping[str, int]
    parent: Path
    notes: tuple[str, ...] = ()
    at_hand = False
    _read: dict[str, tuple[Rows, list[str]]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _data(self) -> HubData:
        data = load_hub(self.hub, self.task, self.parent)
        for split, size in self.sizes.items():
            if split not in data.tables:
                raise DataError(
                    f"{title(self.hub)}: the declaration expects a {split} split of {size} rows, "
                    f"but there is none (it has: {', '.join(data.tables)})"
                )
        return data

    def read(self, split: str, schema: Schema, notes: list[str]) -> Rows | None:
        """A checked split, or None; another size than the declared one is an error."""
        table = self._data.tables.get(split)
        if table is None:
            return None
        if split not in self._read:
            own: list[str] = []
            found = checked_rows(table, schema, own, hub=True)
            rows = store(found, split, schema.kind, key_of_table(table, schema), own)
            expected = self.sizes.get(split)
            if expected is not None and len(rows.pool) != expected:
                raise DataError(
                    f"{table.name}: {len(rows.pool)} rows; the declaration expects {expected}; "
                    "the repository has changed, or [hub] names another one"
                )
            _note_other_split(table.name, len(rows.pool), split, self.published, own)
            self._note_branch(own)
            self._read[split] = (rows, own)
        rows, own = self._read[split]
        notes += own
        return rows

    def _note_branch(self, notes: list[str]) -> None:
        if _PINNED.fullmatch(self.hub.revision) or self.hub.is_folder:
            return
        notes.append(
            f"{self.hub.repository}@{self.hub.revision} is a branch and may change; its commit "
            f"was {self._data.commit or 'not recorded'}"
        )

    def content(self, schema: Schema) -> Iterator[bytes]:
        """The rows themselves: the same rows are the same data, whatever the commit."""
        yield f"reading {READING} {self.hub.repository}".encode()
        for split in sorted(self._data.tables):
            rows = self.read(split, schema, [])
            if rows is not None:
                yield "\n".join((split, *rows.pool.ids)).encode()
                yield rows.gold.offsets.tobytes() + rows.gold.labels.tobytes()

    def origin(self) -> Mapping[str, Any]:
        """The repository and the commit that was loaded, if known; or the folder."""
        if self.hub.is_folder:
            return {"folder": self.hub.repository}
        return {
            "repository": self.hub.repository,
            "revision": self.hub.revision,
            "commit": self._data.commit,
        }


Source: TypeAlias = FileSource | RepositorySource
