"""Tokens that a body says were used, whatever else is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from harness_plugins.llm.calls import Call, Usage
from harness_plugins.llm.cost.tokens import MARGIN, prompt_tokens, reply_limit, text_tokens

MOST_TOKENS = 10_000_000
"""A count above it is a mistake of the server: no context is so long."""
LETTERS = 8
"""For each token of a reply: where there are more, its tokens are counted."""

_NAMED = re.compile(
    r"""["'](?:(?P<prompt>prompt_tokens|input_tokens|promptTokenCount)|(?P<total>total_tokens"""
    r"""|totalTokenCount)|completion_tokens|output_tokens|candidatesTokenCount|reasoning_tokens)"""
    r"""["']\s*:\s*["']?(?P<count>\d{1,8})\b"""
)


def usage_in(body: Any) -> Usage | None:
    """The usage that a body without a reply holds, parsed or not; None: it says nothing."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else json.dumps(body)
    prompt = completion = total = 0
    for found in _NAMED.finditer(text):
        count = int(found["count"])
        if count > MOST_TOKENS:
            continue
        if found["prompt"]:
            prompt = max(prompt, count)
        elif found["total"]:
            total = max(total, count)
        else:
            completion = max(completion, count)
    completion = max(completion, total - prompt)
    return Usage(prompt, completion) if prompt or completion else None


def tokens_of(body: Mapping[str, Any], call: Call, written: str) -> tuple[Usage, bool]:
    """The tokens of a reply, and whether they are counted here.

    A body that says nothing of tokens is counted. Where it gives something else than a number
    that can be, the most that the call may use counts, or what it says, if that is more; where it
    leaves out thoughts, they are added. ``written`` is all that the model wrote, with thoughts.
    """
    said = body.get("usage", {})
    if said == {}:
        return Usage(prompt_tokens(call), text_tokens(written, call.model)), True
    said = said if isinstance(said, dict) else {}
    prompt, completion = _count(said.get("prompt_tokens")), _count(said.get("completion_tokens"))
    estimated = not prompt or completion is None
    if not prompt:
        prompt = max(int(prompt_tokens(call) * MARGIN), _digits(said.get("prompt_tokens")))
    if completion is None:
        completion = max(reply_limit(call), _digits(said.get("completion_tokens")))
    if completion * LETTERS < len(written):
        completion = max(completion, text_tokens(written, call.model))
    thoughts = _within(said, "completion_tokens_details", "reasoning_tokens")
    completion += thoughts if thoughts > completion else 0
    completion = max(completion, (_count(said.get("total_tokens")) or 0) - prompt)
    cached = _within(said, "prompt_tokens_details", "cached_tokens")
    return Usage(prompt, completion, min(cached, prompt)), estimated


def _within(said: Mapping[str, Any], table: str, name: str) -> int:
    details = said.get(table)
    return (_count(details.get(name)) or 0) if isinstance(details, dict) else 0


def _digits(value: Any) -> int:
    return int(value) if re.fullmatch(r"\d{1,7}", str(value)) else 0


def _count(value: Any) -> int | None:
    """A number of tokens that can be one: 64 bits do not fit into the file of replies."""
    number = isinstance(value, int) and not isinstance(value, bool)
    return value if number and 0 <= value <= MOST_TOKENS else None
