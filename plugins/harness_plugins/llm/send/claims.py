"""Which process is getting which reply: claims in the file of replies.

A claim holds as long as its process lives. One that was killed on this machine is known by its
process id and the time at which that began; any other by a mark that it renews while it lives.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Collection, Iterable
from contextlib import closing, suppress
from pathlib import Path

LEASE_SECONDS = 60.0
"""A process that has not renewed its mark for so long has no claims any more."""
RENEWAL_SECONDS = 5.0

CREATE = """
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claimants (
    owner TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
    renewed REAL NOT NULL
) WITHOUT ROWID
"""
RELEASE = "DELETE FROM claims WHERE key = ?"


class Claims:
    """The claims of one user of the file; transactions are the caller's."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection
        self._owner = uuid.uuid4().hex
        self._ended: threading.Event | None = None

    def lapse(self) -> None:
        """Drop the claims of processes that have ended."""
        rows = self._connection.execute("SELECT owner, host, pid, born, renewed FROM claimants")
        for owner, *process in rows.fetchall():
            if owner != self._owner and not _lives(*process):
                self._drop(owner)

    def take(self, keys: Iterable[str]) -> None:
        """Claim what nobody else has claimed."""
        mine = (self._owner, _host(), os.getpid(), _born(os.getpid()), time.time())
        self._connection.execute("INSERT OR REPLACE INTO claimants VALUES (?, ?, ?, ?, ?)", mine)
        self._connection.executemany(
            "INSERT OR IGNORE INTO claims VALUES (?, ?)", ((key, self._owner) for key in keys)
        )
        if self._ended is None:
            self._ended = threading.Event()
            threading.Thread(target=self._renew, args=(self._ended,), daemon=True).start()

    def others(self, keys: Collection[str]) -> set[str]:
        """Those of the keys that others have claimed."""
        query = "SELECT key FROM claims WHERE owner <> ?"
        return {key for (key,) in self._connection.execute(query, (self._owner,))} & set(keys)

    def release(self) -> None:
        """Give up all claims."""
        if self._ended is not None:
            self._ended.set()
            self._ended = None
            self._drop(self._owner)

    def _drop(self, owner: str) -> None:
        self._connection.execute("DELETE FROM claims WHERE owner = ?", (owner,))
        self._connection.execute("DELETE FROM claimants WHERE owner = ?", (owner,))

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(RENEWAL_SECONDS):
            with suppress(sqlite3.Error), closing(sqlite3.connect(self._path)) as own, own:
                renewed = (time.time(), self._owner)
                own.execute("UPDATE claimants SET renewed = ? WHERE owner = ?", renewed)


def _lives(host: str, pid: int, born: str, renewed: float) -> bool:
    if host == _host() and born and _born(pid) != born:
        return False
    return abs(time.time() - renewed) < LEASE_SECONDS


def _born(pid: int) -> str:
    """When a process of this machine began; "": it has ended, or nobody tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "XZ" else fields[19]


def _host() -> str:
    """This machine, and the process ids that are valid on it: a container has its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
