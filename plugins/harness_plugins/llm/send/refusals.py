"""What a server's refusal means: by status, error code and words, to one of ``failures``."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from harness_plugins.llm.failures import (
    DEAD_END,
    FLAGGED,
    ClosedError,
    RejectedError,
    SendingError,
    TransientError,
    UnsupportedError,
)
from harness_plugins.llm.secrets import shown

LONGEST_MESSAGE = 300
"""Characters of a server's message that are shown."""

RETIRED = {
    "gpt-3.5-turbo": "its vendor shut it down on 2026-10-23",
}
"""Models (by the beginning of their name) that are gone, and since when."""

KEY, PURSE, SLOW, PASSING, FLAGGED_TEXT, LONG, MODEL, FEATURE, ADDRESS, OTHER = (
    *("key", "purse", "slow", "passing", "flagged", "long", "model", "feature", "address"),
    "other",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a response means.

    Attributes:
        meaning: one of the words above.
        statuses: of HTTP, or the code within an error body; (): any.
        codes: is searched in the error's codes, types and reasons.
        words: is searched in them and in the message; with ``codes``, one of the two is enough.
        header: one that must be there.
    """

    meaning: str
    statuses: Container[int] = range(100, 1000)
    codes: str = ""
    words: str = ""
    header: str = ""

    def fits(self, status: int, codes: str, said: str, headers: Mapping[str, str]) -> bool:
        """Whether it says what a response means."""
        if status not in self.statuses or self.header not in ("", *headers):
            return False
        searched = [(self.codes, codes), (self.words, f"{codes} {said}")]
        wanted = [(pattern, text) for pattern, text in searched if pattern]
        return not wanted or any(re.search(pattern, text, re.I) for pattern, text in wanted)


RULES = (
    Rule(PURSE, (402,)),
    Rule(
        PURSE,
        (400, 403, 429),
        r"insufficient_quota|billing_(hard_limit|not_active)|spend_limit|balance_exhausted"
        r"|budget_exceeded",
        r"credit balance is too low|insufficient (balance|credits)|budget has been exceeded"
        r"|reached your specified api usage limits|key limit exceeded",
    ),
    Rule(KEY, (401,)),
    # The last: the litellm proxy's answer to any key but its own, where it has no database.
    Rule(
        KEY,
        (400, 403),
        r"invalid_api_key|api_key_invalid|account_deactivated|access_terminated|no_db_connection",
        r"api key not valid|incorrect api key|api key (is |was )?(expired|revoked|disabled)"
        r"|api key was reported as leaked",
    ),
    Rule(
        LONG,
        words=r"context_length|exceed_context_size|context size|maximum context|too long"
        r"|too many tokens|request too large|request_too_large",
    ),
    Rule(LONG, (413,)),
    Rule(SLOW, (429,)),
    Rule(SLOW, (503, 529), header="retry-after"),
    Rule(
        FLAGGED_TEXT,
        words=r"content_filter|content_policy|contentpolicy|content management policy|was flagged"
        r"|content exists risk|prohibited_content|responsibleai|moderation|safety",
    ),
    Rule(PASSING, (403,), words=r"upstream connect error"),
    Rule(PASSING, {408, 409, 425, 498, *range(500, 600)}),
    Rule(
        MODEL,
        (400, 403, 404, 410),
        r"model_not_found|deploymentnotfound|not_found_error|model_decommissioned",
        r"invalid model name|unknown model|no endpoints found for"
        r"|\bmodels?\b.{0,80}(not exist|not found|is unknown|decommissioned)"
        r"|no access to (the |this )?model",
    ),
    Rule(FEATURE, (400, 422)),
    Rule(ADDRESS, {404, 405, 410, *range(300, 400)}),
    Rule(OTHER),
)
"""What a response that is no reply means: the first rule that fits."""

_UNSUPPORTED = re.compile(
    r"unsupported|n[o']t support|unrecognized|unknown (?:parameter|argument|field)"
    r"|extra_forbidden|not permitted|unexpected keyword|only the default|deprecated",
    re.I,
)
_AT_MOST = re.compile(
    r"at most [`'\"]?(\d+)|> (\d+), which is the maximum|range[^\[]{0,40}\[\d+, ?(\d+)\]"
    r"|(?:less than or equal to|no more than|cannot exceed|<=) [`'\"]?(\d+)"
    r"|maximum (?:value|allowed|limit)\b\D{0,40}(\d+)",
    re.I,
)
_FEATURES = (
    *("response_format", "temperature", "top_logprobs", "logprobs", "max_completion_tokens"),
    *("max_tokens", "reasoning_effort", "seed", "top_p", "stop"),
)
_FEATURE = re.compile(rf"\b({'|'.join(_FEATURES)})\b")
_LATER = re.compile(
    r"retryDelay\W{1,6}([\d.]+s)|(?:retry|try again)(?: in| after) ((?:[\d.]+[hms]+)+|[\d.]+)", re.I
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
        return "the key" if self.keys < 2 else f"key {lane + 1} of {self.keys}"


def failure_of(
    server: Server, status: int, body: Any, headers: Mapping[str, str], lane: int
) -> SendingError:
    """What a response that is no reply means.

    Args:
        status: of HTTP, or the code within an error body.
        body: parsed JSON, or text.
        headers: names in lower case.
        lane: which key was used.
    """
    codes, said, parameter = _error(body)
    message = server.redact(said)[:LONGEST_MESSAGE]
    shown = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    fitting = (rule for rule in RULES if rule.fits(status, codes, said, headers))
    meaning = next(fitting).meaning
    if meaning == FEATURE and (unsupported := _unsupported(f"{codes} {said}", parameter, shown)):
        return unsupported
    if meaning == FEATURE:
        meaning = next(fitting).meaning
    if meaning in (SLOW, PASSING):
        pause = pause_of(headers)
        pause = _pause_said(str(body)) if pause is None else pause
        return TransientError(shown, retry_after=pause, throttled=meaning == SLOW)
    if meaning in (KEY, PURSE):
        return ClosedError(_closed(server, meaning, status, shown, lane), lane=lane)
    return _rejected(server, meaning, shown)


def unsupported_feature(words: str, parameter: str = "") -> str | None:
    """The feature that a message says the server does not know, or None."""
    if not _UNSUPPORTED.search(words):
        return None
    named = _FEATURE.search(words)
    return parameter.partition(".")[0] or (named[1] if named else None)


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


def _unsupported(words: str, parameter: str, shown: str) -> UnsupportedError | None:
    named, at_most = _FEATURE.search(parameter or words), _AT_MOST.search(words)
    if named and at_most and named[1].startswith("max_"):
        most = int(next(filter(None, at_most.groups())))
        return UnsupportedError(named[1], f"the server takes less ({shown})", at_most=most)
    if feature := unsupported_feature(words, parameter):
        return UnsupportedError(feature, f"the server does not know {feature} ({shown})")
    return None


def _closed(server: Server, meaning: str, status: int, shown: str, lane: int) -> str:
    where, key = server.where, server.key(lane)
    if meaning == PURSE:
        return f"{where}: the quota of {key} is used up ({shown})"
    if status == 401 and not server.keys:
        return (
            f"{where} asks for a key ({shown}); set annotator.key_env to the name "
            "of the variable that holds it, or annotator.key_file"
        )
    return f"{where} rejected {key} ({shown})"


def _rejected(server: Server, meaning: str, shown: str) -> RejectedError:
    if meaning == FLAGGED_TEXT:
        said = f"the server's content filter refused the text ({shown})"
        return RejectedError(said, enough=FLAGGED)
    if meaning == LONG:
        return RejectedError(f"the prompt is too long for the model ({shown})", enough=FLAGGED)
    if meaning == MODEL:
        return RejectedError(_unknown_model(server, shown), enough=DEAD_END)
    if meaning == ADDRESS:
        return RejectedError(
            f"{server.where}: no chat completions are served there ({shown}); "
            "check annotator.base_url, it usually ends in /v1",
            enough=DEAD_END,
        )
    return RejectedError(f"the server refused ({shown})")


def _unknown_model(server: Server, said: str) -> str:
    unknown = f"{server.where} does not know model {shown(server.model)}"
    gone = retired(server.model)
    return f"{unknown}: {gone}" if gone else f"{unknown} ({said})"


def retired(model: str) -> str:
    """Why a model is gone and what to use in its place; "" of a model that is there."""
    name = model.rsplit("/", 1)[-1]
    for known, why in RETIRED.items():
        if name.startswith(known):
            return (
                f"{why}; use another model (--annotator openai:gpt-6-luna), a compatible server "
                "that has it (annotator.base_url), or recorded answers (--annotator replay:FILE)"
            )
    return ""


def _error(body: Any) -> tuple[str, str, str]:
    """Codes, message and parameter of an error body, in any of the usual shapes."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, str):
        return "", re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", body, flags=re.S), ""
    if not isinstance(body, dict):
        return "", "", ""
    error = body.get("error") or body.get("fault") or body
    if not isinstance(error, dict):
        return "", str(error), ""
    said = next(
        (error[name] for name in ("message", "detail", "faultstring") if error.get(name)), ""
    )
    codes = " ".join(_codes(error))
    return codes, said if isinstance(said, str) else str(said), str(error.get("param") or "")


def _codes(error: Any) -> Iterator[str]:
    """What names the error in words that are not for people, also within its details."""
    if isinstance(error, list):
        for one in error:
            yield from _codes(one)
    elif isinstance(error, dict):
        for name in ("code", "type", "status", "reason", "error_code", "errorcode"):
            if isinstance(error.get(name), str):
                yield error[name]
        for name in ("details", "detail", "innererror"):
            yield from _codes(error.get(name))


def _pause_said(words: str) -> float | None:
    """Seconds that the message asks to wait, where no header does."""
    found = _LATER.search(words)
    return _duration((found[1] or found[2]).rstrip(".")) if found else None


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
