"""What is asked of a language model, and what comes back: frozen values.

A ``Call`` holds everything that can change the answer and nothing else; its ``key`` is
the row of the reply cache. Keys, limits, timeouts and prices are not in it.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import orjson

KEY_VERSION = 1
"""Part of every key: raised when the meaning of a field changes, so that no old row is served."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Call:
    """One question to a model.

    Attributes:
        endpoint: the server's address, or the provider's or the local model's name.
        model: as the server knows it (a local model: with a hash of its files).
        messages: the whole chat, the question last.
        parameters: sampling parameters, canonical JSON.
        response_format: of the request, canonical JSON; "" for none.
        choices: the answers whose likelihood is asked for; () for free text.
        sample: which of several replies to the same question this is, from 0.
    """

    endpoint: str
    model: str
    messages: tuple[Message, ...]
    parameters: str = "{}"
    response_format: str = ""
    choices: tuple[str, ...] = ()
    sample: int = 0

    @property
    def key(self) -> str:
        """SHA-256 (hex) over every field: equal calls, equal keys, and only those."""
        fields = [
            KEY_VERSION,
            self.endpoint,
            self.model,
            [(message.role, message.content) for message in self.messages],
            self.parameters,
            self.response_format,
            self.choices,
            self.sample,
        ]
        return hashlib.sha256(_bytes(fields)).hexdigest()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        text: the content; "" where there is none.
        finish: why it ended: ``stop``, ``length``, ``content_filter``, ``refusal`` or
            what else the server said.
        prompt_tokens, completion_tokens: from the reply's own usage.
        cached_tokens: those of the prompt that the server had in its own cache (cheaper).
        estimated: the tokens are counted here because the server gave no usage.
        cost_usd: by the prices when it was received; 0 where no price is known.
        logprob: natural log of the probability of the whole text; None where not given.
        choice_logprobs: natural log, normalised over the call's ``choices``; () for none.
    """

    text: str
    finish: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    cost_usd: float = 0.0
    logprob: float | None = None
    choice_logprobs: tuple[float, ...] = ()

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a server bills for an attempt that gave no reply."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What was paid: requests, tokens, $."""

    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.requests + other.requests,
            self.tokens + other.tokens,
            self.cost_usd + other.cost_usd,
        )

    def __sub__(self, other: Spent) -> Spent:
        return self + Spent(-other.requests, -other.tokens, -other.cost_usd)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call.

    Attributes:
        reply: None where the model gave none.
        reason: why not ("the server refused: ...", "no reply after 9 attempts: timeout").
        paid: this run bought the reply, now or before it was interrupted.
        lost: what this run paid for attempts without a reply; that of all calls that were
            asked together stands at the first of them.
        answer_usd: what the reply cost, whichever run bought it; of equal calls that were asked
            together the first has it.
    """

    reply: Reply | None
    reason: str = ""
    paid: bool = False
    lost: Spent = Spent()
    answer_usd: float = 0.0

    @property
    def spent(self) -> Spent:
        """What this run paid for it."""
        if self.reply is None or not self.paid:
            return self.lost
        return self.lost + Spent(1, self.reply.tokens, self.reply.cost_usd)


def _bytes(fields: list[Any]) -> bytes:
    # The slower encoder makes the same JSON and takes lone surrogates.
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError:
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")


def canonical(values: Mapping[str, Any]) -> str:
    """JSON text that is the same for equal values: keys sorted, no spaces."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def uncollected() -> Iterator[None]:
    """Make many values without the garbage collector's searches for cycles.

    With 100,000 calls these take a third of the time between texts and annotations.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
