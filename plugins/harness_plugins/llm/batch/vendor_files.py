"""The vendor's files and batches: one request a line up, one answer a line down.

They go through the official client; failures that may pass are retried.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import orjson

from harness.errors import ServiceError
from harness_plugins.llm.backends.chat_protocol import reply_of, request_of
from harness_plugins.llm.backends.client import NO_KEY
from harness_plugins.llm.backends.openai import openai_keys, server_of
from harness_plugins.llm.backends.responses import body_of, failure_in
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import ClosedError, SendingError, TransientError
from harness_plugins.llm.send.refusals import Server
from harness_plugins.llm.send.retries import Attempts, backoff

if TYPE_CHECKING:
    from openai.types import Batch

    from harness_plugins.llm.settings import LlmSettings

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Limits of one file (platform.openai.com, "Batch API")."""
URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"
TAG = "harness"
"""Name of our entry in a batch's metadata."""
RECENT = 1000
"""Number of the newest batches to search for a tag."""
FILE_SECONDS = 600.0
"""Most seconds to upload or download a file."""

T = TypeVar("T")


def request_line(call: Call) -> bytes:
    """One line of the input file; the call's key is its id."""
    row = {"custom_id": call.key, "method": "POST", "url": URL, "body": request_of(call)}
    return orjson.dumps(row) + b"\n"


def files_of(
    sizes: Iterable[int], most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES
) -> Iterator[range]:
    """Which requests, by the bytes of their lines, go into which file, in order."""
    start = end = held = 0
    for size in sizes:
        if end > start and (end - start >= most_requests or held + size > most_bytes):
            yield range(start, end)
            start, held = end, 0
        end, held = end + 1, held + size
    if end > start:
        yield range(start, end)


def rows_of(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and content of each line of an output or error file, without incomplete lines."""
    for line in content.splitlines():
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict) and isinstance(row.get("custom_id"), str):
            yield row["custom_id"], row


def result_of(row: dict[str, Any], call: Call, server: Server) -> Reply | SendingError:
    """The reply or failure of a call; TransientError: it may be sent again."""
    response = row.get("response")
    if not isinstance(response, dict) or not response.get("status_code"):
        error = row.get("error")
        why = error.get("message") or error.get("code") if isinstance(error, dict) else None
        return TransientError(server.redact(str(why or "no answer in the batch")))
    try:
        raw = orjson.dumps(response.get("body"))
        return reply_of(body_of(server, int(response["status_code"]), raw, {}), call)
    except SendingError as error:
        return error


class BatchService:
    """Uploads, creates, queries and downloads with the first key of the settings."""

    def __init__(self, settings: LlmSettings) -> None:
        import openai

        keys = openai_keys(settings)[:1]
        self.server = server_of(settings, keys)
        self._retries = settings.pace.retries
        self._client = openai.OpenAI(
            api_key=keys[0].reveal() if keys else NO_KEY,
            base_url=settings.endpoint,
            max_retries=0,
            timeout=settings.pace.timeout,
        )

    def create(self, calls: Sequence[Call], tag: str) -> Batch:
        """Upload calls and create their batch.

        If the response to a creation is lost, the next attempt first searches for its tag.
        """
        file_id = self._uploaded(calls, f"harness-{tag[:8]}.jsonl")
        tried = False

        def start() -> Batch:
            nonlocal tried
            if tried and (made := self._search(tag)) is not None:
                return made
            tried = True
            return self._client.batches.create(
                input_file_id=file_id,
                endpoint=URL,
                completion_window="24h",
                metadata={TAG: tag},
            )

        return self._ask(start)

    def find(self, tag: str) -> Batch | None:
        """The batch with this tag among the newest ones; None: there is none."""
        return self._ask(lambda: self._search(tag))

    def look(self, batch_id: str) -> Batch | None:
        """The state of a batch; None: the server does not know it."""
        return self._ask(lambda: self._unless_unknown(self._client.batches.retrieve, batch_id))

    def content(self, file_id: str) -> bytes | None:
        """The content of a file; None: the server does not have it any more."""
        get = partial(self._client.files.content, timeout=FILE_SECONDS)
        found = self._ask(lambda: self._unless_unknown(get, file_id))
        return None if found is None else found.content

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _uploaded(self, calls: Sequence[Call], name: str) -> str:
        with tempfile.TemporaryFile() as stream:
            stream.writelines(map(request_line, calls))

            def upload() -> str:
                stream.seek(0)
                files = self._client.files
                return files.create(file=(name, stream), purpose="batch", timeout=FILE_SECONDS).id

            return self._ask(upload)

    def _search(self, tag: str) -> Batch | None:
        for place, batch in enumerate(self._client.batches.list(limit=100)):
            if (batch.metadata or {}).get(TAG) == tag:
                return batch
            if place >= RECENT:
                break
        return None

    @staticmethod
    def _unless_unknown(get: Callable[[str], T], name: str) -> T | None:
        import openai

        with suppress(openai.NotFoundError):
            return get(name)
        return None

    def _ask(self, ask: Callable[[], T]) -> T:
        """The answer, after retries if a failure may pass; ``ServiceError`` if it does not pass."""
        attempts = Attempts()
        while True:
            try:
                return ask()
            except Exception as error:
                failure = self._failure(error)
            if not isinstance(failure, TransientError):
                raise ServiceError(f"{failure}; all replies are kept: the same command goes on")
            attempts.throttled += failure.throttled
            attempts.failed += not failure.throttled
            if attempts.exhausted(self._retries):
                raise ServiceError(
                    f"{self.server.where}: batch API out of reach after {attempts.count} attempts "
                    f"({failure}); nothing is lost: the same command goes on"
                )
            time.sleep(backoff(attempts, failure))

    def _failure(self, error: Exception) -> SendingError:
        import openai

        if isinstance(error, openai.NotFoundError):
            where = self.server.where
            return ClosedError(f"{where}: no batch API there (HTTP 404); unset annotator.batch")
        if isinstance(error, openai.APIStatusError):
            found = failure_in(self.server, error.response)
            assert found is not None
            return found
        if isinstance(error, openai.APIError | OSError):
            return TransientError(self.server.redact(str(error))[:200] or type(error).__name__)
        raise error
