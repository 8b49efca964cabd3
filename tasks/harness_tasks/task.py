"""A task made from a declaration and its data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.data import Gold, Pool, TaskCard
from harness_tasks.declaration import Declaration, read_declaration
from harness_tasks.hub import download_command
from harness_tasks.roles import Schema
from harness_tasks.sources import FileSource, Source, source_of
from harness_tasks.store import Rows


class DeclaredTask:
    """A task from a TOML file.

    Its data comes from ``data/<task>/`` where there is such a folder, else from the
    declaration's files (relative to the TOML file), else from the hub. Files are found at once;
    the hub is asked when a split is first loaded.

    Raises:
        TaskError: if the declaration is wrong.
        DataError: if there is no data for the task.
    """

    def __init__(
        self, file: Path, data: Path | None = None, *, declaration_only: bool = False
    ) -> None:
        self.declaration: Declaration = read_declaration(file)
        self._file = file
        self._source: Source = FileSource({}, ())
        if not declaration_only:
            self._source = source_of(self.declaration, file, data)
        self._rows: dict[str, Rows] = {}
        self._notes: list[str] = list(self._source.notes)

    def __repr__(self) -> str:
        labels = ", ".join(label.name for label in self.card.labels)
        return f"<task {self.card.name}: {self.card.kind}, labels {labels}>"

    @cached_property
    def card(self) -> TaskCard:
        """The task as its parts see it."""
        return self.declaration.card()

    @property
    def default_annotator(self) -> str | None:
        """The annotator that the declaration names."""
        return self.declaration.annotator

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the declaration, how it is read, and all data."""
        digest = hashlib.sha256(self._file.read_bytes())
        for part in self._source.content(self._schema):
            digest.update(part)
        return digest.hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user on the data that was loaded so far, one line each."""
        return tuple(dict.fromkeys(self._notes))

    @property
    def at_hand(self) -> bool:
        """Whether the data is in files, not on the hub."""
        return self._source.at_hand

    def origin(self) -> Mapping[str, Any]:
        """Where the data comes from, for a result's provenance."""
        return self._source.origin()

    def declared(self) -> Mapping[str, Any]:
        """The whole declaration as plain values, with the keys and defaults of the TOML file.

        Empty values are left out. ``hub.fetch`` is the command that downloads the data.
        """
        dumped = self.declaration.model_dump(mode="json", by_alias=True, exclude_none=True)
        values: dict[str, Any] = _without_empty(dumped)
        if self.declaration.hub is not None and not self.declaration.hub.is_folder:
            values["hub"]["fetch"] = download_command(self.declaration.hub, self.declaration.name)
        return values

    def load(self, split: str) -> Pool | None:
        """The examples of a split, in the file's order."""
        return None if (rows := self._read(split)) is None else rows.pool

    def gold(self, split: str) -> Gold | None:
        """The gold labels of a split, in the file's order."""
        return None if (rows := self._read(split)) is None else rows.gold

    @cached_property
    def _schema(self) -> Schema:
        card = self.card
        return Schema(card.kind, card.classes, self.declaration.hub, self.declaration.columns)

    def _read(self, split: str) -> Rows | None:
        if split not in self._rows:
            rows = self._source.read(split, self._schema, self._notes)
            if rows is None:
                return None
            self._rows[split] = rows
        return self._rows[split]


def _without_empty(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_empty(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(inner) for key, inner in value.items()}
    return {key: inner for key, inner in kept.items() if inner not in ("", [], {})}
