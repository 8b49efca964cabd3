"""Records which call went into which batch of the vendor, before anything is uploaded.

A small SQLite file next to the replies. A batch gets an entry with its calls' keys before its
upload, and the vendor's id right after its creation. If a process is killed in between, the
entry has no id, and the batch, if it was created, has the entry's tag at the vendor.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import RunError

BUSY_SECONDS = 60.0
KEPT_SECONDS = 29 * 24 * 3600.0
"""The vendor deletes a batch's files after 30 days; then its calls must be sent again."""

_CREATE = """
CREATE TABLE IF NOT EXISTS batches (
    tag TEXT PRIMARY KEY, id TEXT, endpoint TEXT NOT NULL, planned REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, tag TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_of_batch ON calls (tag);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch: our tag, the vendor's id (None: perhaps not created), keys it may still answer."""

    tag: str
    id: str | None
    keys: tuple[str, ...]


class BatchBook:
    """The file of the batches of one endpoint; a ``RunError`` if it cannot be used."""

    def __init__(self, path: Path, endpoint: str) -> None:
        self.path, self._endpoint = path, endpoint
        with self._named_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._file.executescript(_CREATE)

    def open_entries(self, keys: Iterable[str]) -> list[Entry]:
        """The batches with some of these calls, oldest first, and the keys of those calls."""
        found: dict[tuple[str, str | None], list[str]] = {}
        oldest = time.time() - KEPT_SECONDS
        with self._named_errors():
            rows = self._file.execute(
                "SELECT tag, id, key FROM calls JOIN batches USING (tag) WHERE endpoint = ? "
                "AND planned > ? AND key IN (SELECT value FROM json_each(?)) ORDER BY planned",
                (self._endpoint, oldest, json.dumps(list(keys))),
            )
            for tag, vendor_id, key in rows:
                found.setdefault((tag, vendor_id), []).append(key)
        return [Entry(tag, vendor_id, tuple(own)) for (tag, vendor_id), own in found.items()]

    def plan(self, keys: Sequence[str]) -> Entry:
        """Record a batch before its upload."""
        entry = Entry(uuid.uuid4().hex, None, tuple(keys))
        with self._transaction():
            self._file.execute(
                "INSERT INTO batches VALUES (?, NULL, ?, ?)",
                (entry.tag, self._endpoint, time.time()),
            )
            self._file.executemany(
                "INSERT OR REPLACE INTO calls VALUES (?, ?)", ((key, entry.tag) for key in keys)
            )
        return entry

    def created(self, entry: Entry, vendor_id: str) -> Entry:
        """Record the vendor's id of a batch."""
        with self._transaction():
            self._file.execute("UPDATE batches SET id = ? WHERE tag = ?", (vendor_id, entry.tag))
        return replace(entry, id=vendor_id)

    def forget(self, entry: Entry, keys: Iterable[str]) -> None:
        """Record that these calls get no answer from the batch, so they may be sent again."""
        with self._transaction():
            self._file.executemany(
                "DELETE FROM calls WHERE key = ? AND tag = ?", ((key, entry.tag) for key in keys)
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._named_errors(), self._file:  # which commits, or rolls back
            self._file.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise RunError(f"{self.path}: cannot be used: {error}") from None
