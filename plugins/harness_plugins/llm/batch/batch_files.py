"""The batch API's files: one request a line up, one answer a line down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Literal

import orjson

from harness_plugins.llm.backends.chat_protocol import reply_of, request_of
from harness_plugins.llm.backends.responses import body_of
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import SendingError, TransientError
from harness_plugins.llm.send.refusals import Server

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Limits of one file (platform.openai.com, "Batch API")."""
URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"


def request_line(call: Call) -> bytes:
    """One line of the input file; the call's key is its id.

    Raises:
        UnsupportedError: see ``request_of``.
    """
    row = {"custom_id": call.key, "method": "POST", "url": URL, "body": request_of(call)}
    return orjson.dumps(row) + b"\n"


def files_of(
    sizes: Iterable[int], most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES
) -> Iterator[range]:
    """Which requests go into which file, in order.

    Args:
        sizes: bytes of each line.
        most_requests, most_bytes: of a file.
    """
    start = end = held = 0
    for size in sizes:
        if end > start and (end - start >= most_requests or held + size > most_bytes):
            yield range(start, end)
            start, held = end, 0
        end, held = end + 1, held + size
    if end > start:
        yield range(start, end)


def write(calls: Sequence[Call], stream: IO[bytes]) -> None:
    """Write an input file, and go back to its start."""
    stream.writelines(request_line(call) for call in calls)
    stream.seek(0)


def rows_of(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The id and the content of each line of an output or error file; torn lines are left out."""
    for line in content.splitlines():
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict) and isinstance(row.get("custom_id"), str):
            yield row["custom_id"], row


def result_of(row: dict[str, Any], call: Call, server: Server) -> Reply | SendingError:
    """What became of a call; TransientError: it may be sent again."""
    response = row.get("response")
    if not isinstance(response, dict) or not response.get("status_code"):
        error = row.get("error")
        said = error.get("message") or error.get("code") if isinstance(error, dict) else None
        return TransientError(server.redact(str(said or "no answer in the batch")))
    try:
        raw = orjson.dumps(response.get("body"))
        return reply_of(body_of(server, int(response["status_code"]), raw, {}), call)
    except SendingError as error:
        return error
