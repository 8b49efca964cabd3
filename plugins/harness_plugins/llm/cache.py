"""Every reply ever received: one SQLite file (WAL), shared by all runs and processes.

A reply counts once it is committed. ``put`` gathers, ``commit`` writes what was gathered in one
transaction: the engine commits each reply as soon as it is read. The file survives the death of
the process at any moment; after a loss of power the last commits may be missing
(``synchronous=NORMAL``), never half of one.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Collection, Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import CorruptRunError, NewerRunError, RunError
from harness_plugins.llm.calls import Call, Reply, Spent, Usage
from harness_plugins.llm.send.claims import CREATE as CREATE_CLAIMS
from harness_plugins.llm.send.claims import RELEASE, Claims

SCHEMA = 3
"""Version of the file's layout (``user_version``)."""
APPLICATION = 0x66724C4D
"""``application_id`` of the file: tells it from any other SQLite file."""
BUSY_SECONDS = 60.0
"""How long a commit waits for another process."""

_CREATE = """
CREATE TABLE replies (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL, cost_usd REAL NOT NULL,
    logprob REAL, choice_logprobs TEXT, model TEXT NOT NULL, endpoint TEXT NOT NULL,
    run_id TEXT NOT NULL, received REAL NOT NULL, checksum INTEGER NOT NULL,
    record TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX replies_of_run ON replies (run_id, cost_usd, prompt_tokens, completion_tokens);
CREATE TABLE repeats (
    key TEXT NOT NULL, tokens INTEGER NOT NULL, cost_usd REAL NOT NULL, run_id TEXT NOT NULL,
    received REAL NOT NULL
);
"""
"""``record`` (since layout 2, not in the checksum): what of its run counts the reply. ``repeats``:
what layouts before 3 wrote down as paid for twice."""
_LOSSES = """
CREATE TABLE IF NOT EXISTS losses (
    key TEXT NOT NULL, tokens INTEGER NOT NULL, cost_usd REAL NOT NULL, run_id TEXT NOT NULL,
    record TEXT NOT NULL, received REAL NOT NULL
);
"""
"""What was paid for and is no reply: failed attempts, and what another process had just bought."""
_UPGRADES = (
    "ALTER TABLE replies ADD COLUMN record TEXT NOT NULL DEFAULT ''",
    f"{_LOSSES}{CREATE_CLAIMS}",
)

_COLUMNS = (
    "key, text, finish, prompt_tokens, completion_tokens, cached_tokens, estimated, cost_usd, "
    "logprob, choice_logprobs, model, endpoint, run_id, received, checksum, record"
)
_INSERT = f"INSERT OR IGNORE INTO replies ({_COLUMNS}) VALUES ({', '.join('?' * 16)})"
_LOSE = "INSERT INTO losses VALUES (?, ?, ?, ?, ?, ?)"
_FIND = f"SELECT {_COLUMNS} FROM replies WHERE key IN "
_CHUNK = 500

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """A reply in the cache, the run that paid for it, and its record that counts it."""

    reply: Reply
    run_id: str
    record: str = ""


class ReplyCache:
    """Replies by the key of their call.

    Args:
        path: the file; made, with its folder, where there is none.

    Raises:
        CorruptRunError: if the file is damaged or not one of ours.
        NewerRunError: if a newer version of the program wrote it.
        RunError: if it cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._named_errors(), ExitStack() as refused:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
            refused.callback(self._connection.close)
            self._prepare(self._connection)
            refused.pop_all()
        self._gathered: list[tuple[Row, Stored]] = []
        self._claims = Claims(path, self._connection)

    def __enter__(self) -> ReplyCache:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def find(self, keys: Collection[str]) -> dict[str, Stored]:
        """Those replies that are there, by key.

        Raises:
            CorruptRunError: if one of them is not what was written.
        """
        found, every = {}, list(keys)
        with self._named_errors():
            for start in range(0, len(every), _CHUNK):
                chunk = every[start : start + _CHUNK]
                marks = ", ".join("?" * len(chunk))
                for row in self._connection.execute(f"{_FIND} ({marks})", chunk):
                    found[row[0]] = self._stored(row)
        return found

    def put(self, key: str, call: Call, reply: Reply, run_id: str, record: str = "") -> None:
        """Gather a reply for the next commit; ``record`` of run ``run_id`` counts its cost."""
        if (text := _storable(reply.text)) != reply.text:
            reply = replace(reply, text=text)
        row = (*_row(key, call, reply, run_id), record)
        self._gathered.append((row, Stored(reply, run_id, record)))

    def commit(self) -> dict[str, Stored]:
        """Write what was gathered.

        Returns:
            What the file holds now under each key: the reply, or another process's.

        Raises:
            RunError: if it cannot be written; what was gathered is tried again next time.
        """
        if not self._gathered:
            return {}
        held = {}
        with self._named_errors(), self._transaction():
            for row, stored in self._gathered:
                first = self._connection.execute(_INSERT, row).rowcount == 1
                held[row[0]] = stored if first else self._repeat(row)
        self._gathered.clear()
        return held

    def claim(self, keys: Set[str]) -> tuple[dict[str, Stored], set[str]]:
        """Claim what has no reply yet and nobody else has claimed.

        Returns:
            The replies that are there by now, and the keys that another process has claimed.
        """
        with self._named_errors(), self._transaction():
            self._claims.lapse()
            found = self.find(keys)
            self._claims.take(keys - found.keys())
            return found, self._claims.others(keys - found.keys())

    def release(self, key: str | None = None) -> None:
        """Give up the claim on a call that gets no reply; None: all claims."""
        with self._named_errors(), self._transaction():
            if key is None:
                self._claims.release()
            else:
                self._connection.execute(RELEASE, (key,))

    def lose(self, key: str, usage: Usage, cost_usd: float, run_id: str, record: str = "") -> None:
        """Write down what an attempt cost that gave no reply."""
        tokens = usage.prompt_tokens + usage.completion_tokens
        with self._named_errors():
            self._connection.execute(_LOSE, (key, tokens, cost_usd, run_id, record, time.time()))

    def lost(self, run_id: str, record: str) -> Spent:
        """What a record of a run has paid for and is no reply."""
        query = (
            "SELECT count(*), total(tokens), total(cost_usd) FROM losses "
            "WHERE run_id = ? AND record IN ('', ?)"
        )
        with self._named_errors():
            requests, tokens, cost = self._connection.execute(query, (run_id, record)).fetchone()
        return Spent(requests, int(tokens), cost)

    def spent(self, *run_ids: str) -> Spent:
        """What runs have paid together for replies in this file."""
        query = (
            "SELECT count(*), total(tokens), total(cost_usd) FROM ("
            "SELECT prompt_tokens + completion_tokens AS tokens, cost_usd FROM replies "
            "WHERE run_id IN (SELECT value FROM json_each(:runs)) UNION ALL "
            "SELECT tokens, cost_usd FROM repeats "
            "WHERE run_id IN (SELECT value FROM json_each(:runs)) UNION ALL "
            "SELECT tokens, cost_usd FROM losses "
            "WHERE run_id IN (SELECT value FROM json_each(:runs)))"
        )
        runs = json.dumps(run_ids)
        with self._named_errors():
            requests, tokens, cost = self._connection.execute(query, {"runs": runs}).fetchone()
        return Spent(requests, int(tokens), cost)

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        with suppress(sqlite3.Error):
            self._claims.release()
        self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN")  # or another process could make the file between two looks
        application, version = _marks(connection)
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        connection.execute("COMMIT")
        if application != APPLICATION and (application or version or tables):
            raise CorruptRunError(f"{self._path}: a SQLite file, but not one of LLM replies")
        if version > SCHEMA:
            raise NewerRunError(
                f"{self._path}: written by a newer harness (layout {version}, this one knows "
                f"{SCHEMA}); update harness, or move the file away"
            )
        _use_wal(connection)
        if version < SCHEMA:
            _create_or_upgrade(connection)

    def _stored(self, row: Row) -> Stored:
        if row[14] != _checksum(row[:14]):
            raise CorruptRunError(
                f"{self._path}: the reply {row[0][:12]}… is damaged; move the file away, "
                "or restore it from a copy"
            )
        return Stored(_reply(row), row[12], row[15])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _repeat(self, row: Row) -> Stored:
        """Another process was faster: its reply holds, ours is remembered as paid."""
        held: Row = self._connection.execute(f"{_FIND} (?)", (row[0],)).fetchone()
        if held != row:  # else it is ours, and a signal came right after its commit
            lost = (row[0], row[3] + row[4], row[7], row[12], row[15], row[13])
            self._connection.execute(_LOSE, lost)
        return self._stored(held)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise RunError(f"{self._path}: cannot be used: {error}") from None
        except sqlite3.DatabaseError as error:
            raise CorruptRunError(
                f"{self._path}: damaged ({error}); move it away, or restore it from a copy"
            ) from None
        except OSError as error:
            raise RunError(f"{self._path}: cannot be used: {error.strerror or error}") from None


def _marks(connection: sqlite3.Connection) -> tuple[int, int]:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return application, connection.execute("PRAGMA user_version").fetchone()[0]


def _use_wal(connection: sqlite3.Connection) -> None:
    """The switch to WAL does not wait for other processes by itself."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _create_or_upgrade(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    version = _marks(connection)[1]  # another process may have been faster
    if version < SCHEMA:
        todo = f"{_CREATE}{_UPGRADES[-1]}" if version == 0 else ";".join(_UPGRADES[version - 1 :])
        for statement in todo.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
    connection.execute("COMMIT")


def _row(key: str, call: Call, reply: Reply, run_id: str) -> Row:
    choices = json.dumps(reply.choice_logprobs) if reply.choice_logprobs else None
    # Adding 0.0 makes floats of integers and of -0.0, which SQLite does not keep, 0.0.
    logprob = None if reply.logprob is None else reply.logprob + 0.0
    row = (
        *(key, reply.text, reply.finish, reply.prompt_tokens, reply.completion_tokens),
        *(reply.cached_tokens, int(reply.estimated), reply.cost_usd + 0.0, logprob, choices),
        *(call.model, call.endpoint, run_id, time.time()),
    )
    return (*row, _checksum(row))


def _storable(text: str) -> str:
    """Half of a surrogate pair, which a torn reply may hold, cannot be stored as UTF-8."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _reply(row: Row) -> Reply:
    _, text, finish, prompt, completion, cached, estimated, cost, logprob, choices, *_ = row
    scores = tuple(json.loads(choices)) if choices else ()
    counts = (prompt, completion, cached, bool(estimated))
    return Reply(text, finish, *counts, cost, logprob, scores)


def _checksum(row: Row) -> int:
    return zlib.crc32(repr(row).encode("utf-8", "surrogatepass"))
