"""The chat-completions protocol: a call as a request body, a response body as a reply."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness_plugins.llm.backends.responses import MOST_BYTES, OversizeError
from harness_plugins.llm.backends.usage import tokens_of, usage_in
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import (
    FLAGGED,
    RejectedError,
    SendingError,
    TransientError,
    UnsupportedError,
)

FAILED = frozenset({"error", "abort", "insufficient_system_resource", "network_error"})
"""``finish_reason`` of a generation that the server itself gave up: there is no answer."""


def request_of(call: Call) -> dict[str, Any]:
    """The body of a request.

    A ``seed`` among the parameters is raised by the sample's number: equal seeds would give
    equal samples.

    Raises:
        UnsupportedError: for choices, whose likelihood no chat server tells.
    """
    if call.choices:
        raise UnsupportedError("choices", "a chat server scores no given answers")
    body: dict[str, Any] = {
        "model": call.model,
        "messages": [
            {"role": message.role, "content": message.content} for message in call.messages
        ],
        **json.loads(call.parameters),
    }
    if call.response_format:
        body["response_format"] = json.loads(call.response_format)
    if call.sample and isinstance(body.get("seed"), int):
        body["seed"] += call.sample
    return body


def reply_of(body: Any, call: Call) -> Reply:
    """The reply in a response body.

    Thoughts (``reasoning_content``, ``reasoning``) are no part of it, unless there is nothing
    else: some servers put whole answers there.

    Raises:
        TransientError: if the body is no complete answer.
        RejectedError: if it says that the prompt was filtered.
        Each has the usage that the body holds.
    """
    try:
        return _reply_of(body, call)
    except SendingError as error:
        error.usage = usage_in(body)
        raise


def _reply_of(body: Any, call: Call) -> Reply:
    choice = _first_choice(body)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise TransientError("the reply has no message")
    text, finish = _text(message), str(choice.get("finish_reason") or "stop")
    failed = {finish, _further(choice, "native_finish_reason")} & FAILED
    if failed or choice.get("error"):
        why = ", ".join(failed) or "error"
        raise TransientError(f"the generation failed ({why})", generation=True)
    if not text and (refusal := _further(message, "refusal")):
        text, finish = refusal, "refusal"
    elif not text and finish == "stop":  # a thought that was cut off is no answer
        text = _further(message, "reasoning_content", "reasoning")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # halves of a character fit into no file
    if len(text) > MOST_BYTES:
        raise OversizeError
    thoughts = _further(message, "reasoning_content", "reasoning")
    usage, estimated = tokens_of(body, call, text if thoughts == text else thoughts + text)
    return Reply(
        text=text,
        finish=finish,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        estimated=estimated,
        logprob=_logprob(choice.get("logprobs")),
    )


def _first_choice(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise TransientError("the reply is not a JSON object")
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    if body.get("prompt_filter_results") or body.get("promptFeedback"):
        raise RejectedError("the server's content filter refused the text", enough=FLAGGED)
    raise TransientError("the reply holds no choices")


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):  # parts, as some servers send them
        return "".join(
            str(part.get("text") or "")
            for part in content
            if isinstance(part, dict) and part.get("type") in ("text", "output_text")
        )
    return content if isinstance(content, str) else ""


def _further(message: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds a text; a router keeps those apart that it adds."""
    apart = message.get("provider_specific_fields")
    fields = {**message, **(apart if isinstance(apart, dict) else {})}
    return next((fields[name] for name in names if isinstance(fields.get(name), str)), "")


def _logprob(logprobs: Any) -> float | None:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    tokens: Sequence[Any] = content if isinstance(content, list) else []
    values = [token.get("logprob") for token in tokens if isinstance(token, dict)]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return sum(numbers) if numbers and len(numbers) == len(values) else None
