"""The vendor's files and batches through the official client; passing failures are waited out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from harness.errors import ServiceError
from harness_plugins.llm.backends.client import NO_KEY
from harness_plugins.llm.backends.openai import openai_keys, server_of
from harness_plugins.llm.batch.batch_files import URL, write
from harness_plugins.llm.calls import Call
from harness_plugins.llm.failures import ClosedError, SendingError, TransientError
from harness_plugins.llm.send.refusals import failure_of
from harness_plugins.llm.send.retries import Attempts, backoff

if TYPE_CHECKING:
    from openai.types import Batch

    from harness_plugins.llm.settings import LlmSettings

TAG = "harness"
"""Name of our entry in a batch's metadata."""
RECENT = 1000
"""So many of the newest batches are searched for a tag."""
FILE_SECONDS = 600.0
"""Until a file must be up or down."""

T = TypeVar("T")


class BatchService:
    """Uploads, creates, looks up and downloads; with the first key.

    Args:
        settings: whose server and key.

    Raises:
        CommandError: if there is no key.
    """

    def __init__(self, settings: LlmSettings) -> None:
        import openai

        keys = openai_keys(settings)[:1]
        self.server = server_of(settings, keys)
        self._retries = settings.pace.retries
        self._timeout = settings.pace.timeout
        self._client = openai.OpenAI(
            api_key=keys[0].reveal() if keys else NO_KEY,
            base_url=settings.endpoint,
            max_retries=0,
            timeout=self._timeout,
        )

    def create(self, calls: Sequence[Call], tag: str) -> Batch:
        """Upload calls and have them answered.

        A creation whose answer got lost is looked for by its tag before it is tried again.
        """
        with tempfile.TemporaryFile() as stream:
            write(calls, stream)

            def upload() -> str:
                stream.seek(0)
                name = f"harness-{tag[:8]}.jsonl"
                files = self._client.files
                made = files.create(file=(name, stream), purpose="batch", timeout=FILE_SECONDS)
                return made.id

            file_id = self._ask(upload)
        tried: list[bool] = []

        def start() -> Batch:
            if tried and (made := self._search(tag)) is not None:
                return made
            tried.append(True)
            return self._client.batches.create(
                input_file_id=file_id,
                endpoint=URL,
                completion_window="24h",
                metadata={TAG: tag},
            )

        return self._ask(start)

    def find(self, tag: str) -> Batch | None:
        """The batch with this tag, if it was created; the newest ones are searched."""
        return self._ask(lambda: self._search(tag))

    def look(self, batch_id: str) -> Batch | None:
        """How a batch is; None: the server knows none of that id."""
        return self._unless_unknown(lambda: self._client.batches.retrieve(batch_id))

    def content(self, file_id: str) -> bytes | None:
        """A file; None: it is not there any more."""
        files = self._client.files
        return self._unless_unknown(lambda: files.content(file_id, timeout=FILE_SECONDS).content)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _search(self, tag: str) -> Batch | None:
        for place, batch in enumerate(self._client.batches.list(limit=100)):
            if (batch.metadata or {}).get(TAG) == tag:
                return batch
            if place >= RECENT:
                break
        return None

    def _unless_unknown(self, ask: Callable[[], T]) -> T | None:
        import openai

        def guarded() -> T | None:
            try:
                return ask()
            except openai.NotFoundError:
                return None

        return self._ask(guarded)

    def _ask(self, ask: Callable[[], T]) -> T:
        """The answer; asked again as long as the failure may pass.

        Raises:
            ServiceError: if it does not.
        """
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
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            return failure_of(self.server, error.status_code, _body(error), headers, 0)
        if isinstance(error, openai.APIError | OSError):
            return TransientError(self.server.redact(str(error))[:200] or type(error).__name__)
        raise error


def _body(error: Any) -> Any:
    try:
        return orjson.loads(error.response.content)
    except orjson.JSONDecodeError:
        return str(error.response.text)
