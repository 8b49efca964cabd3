"""A task made from a declaration and data files."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from harness.data import Gold, Pool, TaskCard
from harness.errors import DataError
from harness_tasks.declaration import Declaration, read_declaration
from harness_tasks.reading import Rows, read_rows

__all__ = ["DeclaredTask"]

SPLITS = ("train", "validation", "test")


class DeclaredTask:
    """A task from a TOML file.

    Its data comes from ``data/<task>/`` where the user passes such a folder, else from
    the files that the declaration names (paths relative to the TOML file).

    Args:
        file: the TOML file.
        data: the folder of ``--data``, or None.
        declaration_only: look for no data; then there is none.

    Raises:
        TaskError: if the declaration is wrong.
        DataError: if there is no data for the task.
    """

    def __init__(
        self, file: Path, data: Path | None = None, *, declaration_only: bool = False
    ) -> None:
        self.declaration: Declaration = read_declaration(file)
        self._file = file
        self._files = {} if declaration_only else self._find(data)
        self._rows: dict[str, Rows] = {}

    @cached_property
    def card(self) -> TaskCard:
        """What parts may know of the task."""
        return self.declaration.card()

    @property
    def default_annotator(self) -> str | None:
        """The annotator that the declaration names."""
        return self.declaration.annotator

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the declaration and every data file."""
        digest = hashlib.sha256(self._file.read_bytes())
        for split, file in sorted(self._files.items()):
            digest.update(split.encode())
            with file.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
        return digest.hexdigest()

    def load(self, split: str) -> Pool | None:
        """The examples of a split, in the file's order."""
        rows = self._read(split)
        return None if rows is None else rows.pool

    def gold(self, split: str) -> Gold | None:
        """The gold labels of a split, in the file's order."""
        rows = self._read(split)
        return None if rows is None else rows.gold

    def _read(self, split: str) -> Rows | None:
        if split not in self._files:
            return None
        if split not in self._rows:
            card = self.card
            self._rows[split] = read_rows(self._files[split], split, card.kind, card.classes)
        return self._rows[split]

    def _find(self, data: Path | None) -> dict[str, Path]:
        name = self.declaration.name
        if data is not None:
            folders = (data / name, data / name.replace("-", "_"))
            folder = next((folder for folder in folders if folder.is_dir()), None)
            if folder is not None:
                return self._in_folder(folder)
            if (data / "train.jsonl").is_file():
                raise DataError(f"{data}: holds train.jsonl itself; pass the folder above {name}/")
            if not self.declaration.files:
                raise DataError(f"{data / name}: no such folder, so there is no data for {name!r}")
        if not self.declaration.files:
            raise DataError(
                f"task {name!r}: its data is not shipped; pass --data DIR (or set HARNESS_DATA) "
                f"with DIR/{name}/train.jsonl and test.jsonl"
            )
        files = {
            str(split): self._file.parent / path for split, path in self.declaration.files.items()
        }
        for file in files.values():
            if not file.is_file():
                raise DataError(f"{file}: no such file, but {self._file} names it")
        return files

    def _in_folder(self, folder: Path) -> dict[str, Path]:
        files = {split: folder / f"{split}.jsonl" for split in SPLITS}
        found = {split: file for split, file in files.items() if file.is_file()}
        if "train" not in found:
            raise DataError(f"{folder / 'train.jsonl'}: no such file; a task needs a train split")
        return found
