"""What a server's refusal means: by status, error code and words, to one of ``failures``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from harness_plugins.llm.failures import (
    ClosedError,
    RejectedError,
    SendingError,
    TransientError,
    UnsupportedError,
)

LONGEST_MESSAGE = 300
"""Characters of a server's message that are shown."""

RETIRED = {
    "gpt-3.5-turbo": "its vendor shut it down on 2026-10-23",
}
"""Models (by the beginning of their name) that are gone, and since when."""

_QUOTA = re.compile(r"insufficient_quota|billing|exceeded your current quota|credit balance", re.I)
_MODEL = re.compile(
    r"model_not_found|invalid model name|model.{0,80}(not exist|not found|unknown|no access)", re.I
)
_KEY = re.compile(r"invalid_api_key|no_db_connection")
"""The second: the litellm proxy's answer (400) to any key but its own, where it has no database."""
_FILTER = re.compile(r"content_filter|content_policy|content management policy|safety", re.I)
_LENGTH = re.compile(r"context_length|maximum context|too long|too many tokens", re.I)
_UNSUPPORTED = re.compile(
    r"unsupported|not support|unrecognized|unknown (?:parameter|argument|field)|extra_forbidden"
    r"|not permitted|unexpected keyword|only the default",
    re.I,
)
_FEATURES = (
    *("response_format", "temperature", "top_logprobs", "logprobs", "max_completion_tokens"),
    *("max_tokens", "reasoning_effort", "seed", "top_p", "stop"),
)
_SHORT = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?")


@dataclass(frozen=True, slots=True)
class Server:
    """What the message of a refusal names.

    Attributes:
        where: the server's address, or the vendor's name.
        model: as it was asked for.
        keys: how many there are; 0: requests go without one.
        redact: takes keys out of a text.
    """

    where: str
    model: str
    keys: int
    redact: Callable[[str], str]

    def key(self, lane: int) -> str:
        """Which key, in words that do not show it."""
        return "the key" if self.keys == 1 else f"key {lane + 1} of {self.keys}"


def failure_of(
    server: Server, status: int, body: Any, headers: Mapping[str, str], lane: int
) -> SendingError:
    """What a response that is no reply means.

    Args:
        server: who answered.
        status: of HTTP, or the code within an error body.
        body: parsed JSON, or text.
        headers: names in lower case.
        lane: which key was used.
    """
    code, said, parameter = _error(body)
    message = server.redact(said)[:LONGEST_MESSAGE] or f"HTTP {status}"
    words = f"{code} {said}"
    if closed := _closed(server, status, words, message, lane):
        return closed
    if status == 429 or (status in (503, 529) and "retry-after" in headers):
        return TransientError(
            f"HTTP {status}: {message}", retry_after=pause_of(headers), throttled=True
        )
    if status in (408, 409, 425) or status >= 500:
        return TransientError(f"HTTP {status}: {message}", retry_after=pause_of(headers))
    return _rejected(words, message, parameter)


def unsupported_feature(words: str, parameter: str = "") -> str | None:
    """The feature that a message says the server does not know, or None."""
    if not _UNSUPPORTED.search(words):
        return None
    if parameter:
        return parameter.partition(".")[0]
    return next((feature for feature in _FEATURES if feature in words), None)


def pause_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait; None where it says nothing.

    ``retry-after-ms``, ``retry-after`` (seconds or a date), else, where nothing remains, the
    later of ``x-ratelimit-reset-requests`` and ``-tokens`` (``1s``, ``6m0s``, ``20ms``).
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if "retry-after" in headers:
        return _after(headers["retry-after"])
    pauses = [
        _duration(headers[f"x-ratelimit-reset-{what}"])
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
        and f"x-ratelimit-reset-{what}" in headers
    ]
    return max((pause for pause in pauses if pause is not None), default=None)


def _closed(server: Server, status: int, words: str, message: str, lane: int) -> ClosedError | None:
    where, key = server.where, server.key(lane)
    if status == 401 and not server.keys:
        return ClosedError(
            f"{where} asks for a key (HTTP 401: {message}); set annotator.key_env to the name "
            "of the variable that holds it, or annotator.key_file",
            lane=lane,
        )
    if status == 401 or _KEY.search(words):
        return ClosedError(f"{where} rejected {key} (HTTP {status}: {message})", lane=lane)
    if status == 402 or (status in (403, 429) and _QUOTA.search(words)):
        return ClosedError(f"{where}: the quota of {key} is used up ({message})", lane=lane)
    if status in (400, 403, 404, 410) and _MODEL.search(words) and not _LENGTH.search(words):
        return ClosedError(_unknown_model(server, message))
    if status == 403:
        return ClosedError(f"{where} does not let {key} in ({message})", lane=lane)
    if status in (404, 405, 410) or 300 <= status < 400:
        return ClosedError(
            f"{where}: no chat completions are served there (HTTP {status}); "
            "check annotator.base_url, it usually ends in /v1"
        )
    return None


def _unknown_model(server: Server, message: str) -> str:
    name = server.model.rsplit("/", 1)[-1]
    for retired, why in RETIRED.items():
        if name.startswith(retired):
            return (
                f"{server.where} does not know model {server.model!r}: {why}; use another model "
                "(--annotator openai:gpt-6-luna), a compatible server that has it "
                "(annotator.base_url), or recorded answers (--annotator replay:FILE)"
            )
    return f"{server.where} does not know model {server.model!r} ({message})"


def _rejected(words: str, message: str, parameter: str) -> RejectedError:
    if _FILTER.search(words):
        return RejectedError(f"the server's content filter refused the text ({message})")
    if _LENGTH.search(words):
        return RejectedError(f"the prompt is too long for the model ({message})")
    if feature := unsupported_feature(words, parameter):
        return UnsupportedError(feature, f"the server does not know {feature} ({message})")
    return RejectedError(f"the server refused: {message}")


def _error(body: Any) -> tuple[str, str, str]:
    """Code, message and parameter of an error body, in any of the usual shapes."""
    if isinstance(body, str):
        return "", body, ""
    if not isinstance(body, dict):
        return "", "", ""
    error = body.get("error", body)
    if isinstance(error, str):
        return "", error, ""
    if not isinstance(error, dict):
        return "", str(error), ""
    said = error.get("message") or error.get("detail") or ""
    codes = f"{error.get('code') or ''} {error.get('type') or ''}"
    return codes, said if isinstance(said, str) else str(said), str(error.get("param") or "")


def _after(value: str) -> float | None:
    if (seconds := _number(value)) is not None:
        return seconds
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _duration(value: str) -> float | None:
    match = _SHORT.fullmatch(value.strip())
    if not match or not any(match.groups()):
        return _number(value)
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
