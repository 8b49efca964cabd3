"""What a response is: status, headers and bytes become JSON, or what went wrong.

Bodies that are nearly JSON are read: a byte order mark or blank lines before it, ``NaN``, lone
surrogates, raw control characters, a stream of events although none was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from harness_plugins.llm.backends.usage import usage_in
from harness_plugins.llm.failures import SendingError, TransientError
from harness_plugins.llm.send.refusals import Server, failure_of

MOST_BYTES = 1_000_000
"""A larger body is no answer to a question about a label: it is given up, and never kept."""
DONE = "data: [DONE]"
_LENIENT = json.JSONDecoder(strict=False)


class OversizeError(TransientError):
    """The body is larger than ``MOST_BYTES``."""

    def __init__(self) -> None:
        super().__init__(f"the reply is larger than {MOST_BYTES / 1e6:.0f} MB")


def body_of(
    server: Server, status: int, raw: bytes, headers: Mapping[str, str], lane: int = 0
) -> Any:
    """The JSON of a response that is an answer.

    Args:
        raw: the body, decompressed.
        headers: names in any case.
        lane: which key was used.

    Raises:
        SendingError: what any other response means, with the usage that it holds.
    """
    try:
        return _body_of(server, status, raw, headers, lane)
    except SendingError as error:
        error.usage = usage_in(raw[:MOST_BYTES])
        raise


def failure_in(server: Server, response: Any, lane: int = 0) -> SendingError | None:
    """What a response of httpx that is no answer means; None: it is one."""
    try:
        body_of(server, response.status_code, response.content, response.headers, lane)
    except SendingError as error:
        return error
    return None


def _body_of(server: Server, status: int, raw: bytes, headers: Mapping[str, str], lane: int) -> Any:
    good = 200 <= status < 300
    try:
        body = _parsed(raw)
    except (ValueError, RecursionError):
        if good:
            raise TransientError("the reply is torn (not JSON)") from None
        body = raw.decode("utf-8", "replace")
    if good and not _is_error(body):
        return body
    named = {name.lower(): value for name, value in headers.items()}
    failure = failure_of(server, _status_within(body) if good else status, body, named, lane)
    if isinstance(failure, TransientError) and good and not failure.throttled:
        failure.generation = True
    raise failure


def _parsed(raw: bytes) -> Any:
    if len(raw) > MOST_BYTES:
        raise OversizeError
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        text = raw.decode("utf-8-sig", "replace").strip()
    if text.startswith("data:"):
        return _joined(_LENIENT.decode(event) for event in _events(text))
    body, end = _LENIENT.raw_decode(text)
    if text[end:].strip() not in ("", DONE):
        raise ValueError("more than one JSON value")
    return body


def _events(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith("data:") and line != DONE:
            yield line.removeprefix("data:").strip()


def _joined(chunks: Iterator[Any]) -> Any:
    """One answer from the pieces of a stream, or the first piece that is an error."""
    whole: dict[str, Any] = {}
    text, finish = "", None
    for chunk in chunks:
        if _is_error(chunk):
            return chunk
        whole |= {key: value for key, value in chunk.items() if value is not None}
        for choice in chunk.get("choices") or []:
            text += choice.get("delta", {}).get("content") or ""
            finish = choice.get("finish_reason") or finish
    if finish is None:
        raise ValueError("the stream has no end")
    return {**whole, "choices": [{"message": {"content": text}, "finish_reason": finish}]}


def _is_error(body: object) -> bool:
    return isinstance(body, dict) and bool(body.get("error")) and not body.get("choices")


def _status_within(body: Any) -> int:
    """The code in an error that came with status 200, as some routers report errors."""
    code = str(body["error"].get("code") if isinstance(body["error"], dict) else "")
    return int(code) if re.fullmatch("[45][0-9][0-9]", code) else 500
