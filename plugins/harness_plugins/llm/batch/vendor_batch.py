"""A sender over the vendor's batch API: half the price, answers within a day.

If the process ends, the vendor continues the batch, and the same command collects it by its
recorded id. A reply that did not reach the cache is collected again at no cost.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from harness.errors import BudgetError, ServiceError
from harness_plugins.llm.batch.book import BatchBook, Entry
from harness_plugins.llm.batch.vendor_files import (
    MOST_BYTES,
    MOST_REQUESTS,
    BatchService,
    files_of,
    request_line,
    result_of,
    rows_of,
)
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import ClosedError, RejectedError, SendingError, TransientError
from harness_plugins.llm.send.refusals import failure_of
from harness_plugins.llm.sender import Admit, Done

if TYPE_CHECKING:
    from openai.types import Batch

    from harness.protocols import Account
    from harness_plugins.llm.settings import LlmSettings

OVER = ("completed", "expired", "cancelled", "failed")
RESENDS = 2
"""Most further batches for a call that its batch did not answer."""
GROWTH = 1.5
"""Factor on the pause between two queries of the batches, until one is over."""


class BatchSender:
    """A ``Sender`` that uploads calls in files and waits for their batches.

    Args:
        account: its replies' folder also has the file of batches.
        poll: seconds between two queries, at first and at most.
        most_requests, most_bytes: limits of one file.

    Raises:
        CommandError: if there is no key.
        RunError: if the file of batches cannot be used.
    """

    def __init__(
        self,
        settings: LlmSettings,
        account: Account,
        *,
        poll: tuple[float, float] = (2.0, 60.0),
        most_requests: int = MOST_REQUESTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.service = BatchService(settings)
        path = account.replies.with_name("batches.sqlite")
        self.book = BatchBook(path, settings.endpoint)
        # One process at a time uploads, so that no other takes its new batch for an orphan.
        self.lock = FileLock(f"{path}.lock")
        self.note, self.poll = account.note, poll
        self.most_requests, self.most_bytes = most_requests, most_bytes

    def send(self, calls: Sequence[Call], admit: Admit, done: Done) -> None:
        """Collect earlier batches, send the other calls, and wait for all of them.

        If the budget does not suffice for all calls, the rest is sent when replies turn out
        cheaper than the amount reserved for them.

        Raises:
            ServiceError: if a batch is refused or cancelled, or the server is out of reach.
            BudgetError: from ``admit``, after all replies to the calls sent are collected.
            KeyboardInterrupt: the vendor continues the batches.
        """
        _Delivery(self, calls, admit, done).run()

    def close(self) -> None:
        """Close connections and files."""
        self.service.close()
        self.book.close()


class _Delivery:
    """The sending of one list of calls."""

    def __init__(self, by: BatchSender, calls: Sequence[Call], admit: Admit, done: Done) -> None:
        self._by, self._calls, self._admit, self._done = by, calls, admit, done
        self._index = {call.key: index for index, call in enumerate(calls)}
        self._waiting = list(self._index)
        self._admitted: set[str] = set()
        self._refused: set[str] = set()
        self._pending: dict[str, Entry] = {}
        self._lost: Counter[str] = Counter()
        self._counts: dict[str, str] = {}
        self._most, self._full = by.most_requests, False

    def run(self) -> None:
        try:
            self._adopt()
            stopped = self._submit()
            pause = self._by.poll[0]
            while self._pending:
                if self._collect_finished():
                    stopped, pause = self._submit(), self._by.poll[0]
                elif self._pending:
                    time.sleep(pause)
                    pause = min(pause * GROWTH, self._by.poll[1])
        except KeyboardInterrupt:
            if self._pending:
                names = ", ".join(str(entry.id) for entry in self._pending.values())
                self._by.note(f"{names}: goes on at the vendor; the same command collects it")
            raise
        if stopped is not None:
            raise stopped

    def _adopt(self) -> None:
        """Continue batches of an earlier process with some of the calls."""
        with self._by.lock:
            for entry in self._by.book.open_entries(self._waiting):
                # A process may have ended between creating a batch and recording its id.
                found = None if entry.id else self._by.service.find(entry.tag)
                if entry.id or found:
                    known = self._by.book.created(entry, found.id) if found else entry
                    self._pending[known.tag] = known
                else:
                    self._by.book.forget(entry, entry.keys)
        for entry in self._pending.values():
            self._by.note(f"batch {entry.id}: {len(entry.keys)} calls were sent before")
            for key in entry.keys:
                self._admit(self._index[key], bought=True)
            self._admitted.update(entry.keys)
        self._waiting = [key for key in self._waiting if key not in self._admitted]

    def _submit(self) -> BudgetError | None:
        """Send waiting calls as far as the budget and the vendor's queue allow."""
        if self._full and self._pending:
            return None
        self._full = False
        stopped = self._admit_waiting()
        ready = [key for key in self._waiting if key in self._admitted]
        sizes = [len(request_line(self._calls[self._index[key]])) for key in ready]
        for part in files_of(sizes, self._most, self._by.most_bytes):
            with self._by.lock:
                self._create(ready[part.start : part.stop])
        gone = self._admitted | self._refused
        self._waiting = [key for key in self._waiting if key not in gone]
        return stopped

    def _admit_waiting(self) -> BudgetError | None:
        """Reserve the cost of every waiting call before anything is uploaded."""
        for key in [key for key in self._waiting if key not in self._admitted]:
            index = self._index[key]
            try:
                request_line(self._calls[index])
                self._admit(index)
            except BudgetError as error:
                return error
            except SendingError as error:
                self._refused.add(key)
                self._done(index, error)
            else:
                self._admitted.add(key)
        return None

    def _create(self, keys: Sequence[str]) -> None:
        entry = self._by.book.plan(keys)
        calls = [self._calls[self._index[key]] for key in keys]
        batch = self._by.service.create(calls, entry.tag)
        self._pending[entry.tag] = self._by.book.created(entry, batch.id)
        self._by.note(
            f"batch {batch.id}: {len(keys)} calls sent; answers come within a day, and the "
            "same command collects them should this one end before"
        )

    def _collect_finished(self) -> bool:
        over = False
        for entry in list(self._pending.values()):
            batch = self._by.service.look(str(entry.id))
            if batch is None:
                raise ServiceError(
                    f"batch {entry.id} is not known to this key: use the key that sent it, or "
                    f"remove {self._by.book.path} to send its {len(entry.keys)} calls again"
                )
            if batch.status in OVER:
                over = True
                del self._pending[entry.tag]
                self._collect(entry, batch)
            else:
                self._tell_progress(batch)
        return over

    def _tell_progress(self, batch: Batch) -> None:
        counts = batch.request_counts
        if counts is None or not counts.total:
            return
        answered = f"{counts.completed + counts.failed} of {counts.total} answered"
        if self._counts.get(batch.id) != answered:
            self._counts[batch.id] = answered
            self._by.note(f"batch {batch.id}: {batch.status.replace('_', ' ')}, {answered}")

    def _collect(self, entry: Entry, batch: Batch) -> None:
        if batch.status == "failed":
            self._failed(entry, batch)
            return
        results = self._results(entry, batch)
        unanswered = [key for key, result in results if isinstance(result, SendingError)]
        closed: ClosedError | None = None
        for key, result in results:
            if isinstance(result, ClosedError):
                closed = result
            elif not isinstance(result, TransientError):
                self._done(self._index[key], result)
            elif batch.status != "cancelled":
                self._again(key, result)
        self._by.book.forget(entry, unanswered)
        if closed is not None:
            raise ServiceError(f"{closed}; all replies are kept: the same command goes on")
        if batch.status == "cancelled":
            raise ServiceError(
                f"batch {batch.id} was cancelled: {len(results) - len(unanswered)} replies are "
                f"kept, the same command sends the other {len(unanswered)} calls again"
            )
        if batch.status == "expired":
            self._by.note(f"batch {batch.id} expired: {len(unanswered)} calls are sent again")

    def _results(self, entry: Entry, batch: Batch) -> list[tuple[str, Reply | SendingError]]:
        rows: dict[str, dict[str, Any]] = {}
        for file_id in (batch.error_file_id, batch.output_file_id):
            content = self._by.service.content(file_id) if file_id else None
            rows.update(rows_of(content or b""))
        server = self._by.service.server
        lost = {"error": {"message": f"no answer in the batch ({batch.status})"}}
        return [
            (key, result_of(rows.get(key, lost), self._calls[self._index[key]], server))
            for key in entry.keys
        ]

    def _again(self, key: str, why: TransientError) -> None:
        """Put a call into another batch, or give it up after ``RESENDS``."""
        self._lost[key] += 1
        if self._lost[key] > RESENDS:
            given_up = RejectedError(f"no reply from {self._lost[key]} batches: {why}")
            given_up.usage = why.usage
            self._done(self._index[key], given_up)
            return
        if why.usage is not None:
            self._done(self._index[key], why.usage)
            self._admitted.discard(key)
        self._waiting.append(key)

    def _failed(self, entry: Entry, batch: Batch) -> None:
        self._by.book.forget(entry, entry.keys)
        first = next(iter(batch.errors.data or []), None) if batch.errors else None
        code, reason = (first.code or "", first.message or "") if first else ("", "no reason given")
        if code != "token_limit_exceeded" and "nqueued token limit" not in reason:
            body = {"error": {"code": code, "message": reason}}
            why = failure_of(self._by.service.server, 400, body, {}, 0)
            raise ServiceError(f"batch {batch.id} was not taken: {why}")
        if not self._pending:
            if len(entry.keys) == 1:
                raise ServiceError(
                    f"{self._by.service.server.where}: the queue of batches is full ({reason}); "
                    "all replies are kept: the same command goes on later"
                )
            self._most = max(1, len(entry.keys) // 2)
            self._by.note(f"the vendor's queue is full: batches now have {self._most} calls")
        self._full = True
        self._waiting.extend(entry.keys)
