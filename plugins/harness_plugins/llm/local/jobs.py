"""Calls as token ids: what a local model computes for each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import ConfigError
from harness_plugins.llm.calls import Call
from harness_plugins.llm.failures import RejectedError, SendingError, UnsupportedError
from harness_plugins.llm.local.chat import Chat
from harness_plugins.llm.local.compute import Sampling

LENGTH = 256
"""Most tokens of generated text if a call sets no limit."""
LIMITS = ("max_tokens", "max_completion_tokens", "max_new_tokens")
KNOWN = frozenset(LIMITS) | {
    *("temperature", "top_p", "top_k", "stop", "seed", "logprobs"),
    *("chat_template_kwargs", "calibrate", "content_free"),
}


@dataclass(frozen=True, slots=True)
class _Draft:
    """A call, its parameters, and its chats as text: its own, then those without content."""

    index: int
    call: Call
    values: dict[str, Any]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """A tokenised call.

    Attributes:
        prompts: token ids of the call's own prompt, then of those without content.
        answers: token ids of each choice; () for free text.
        seed: from the call's key, so that the same call draws the same text.
    """

    index: int
    prompts: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[int, ...], ...]
    choices: tuple[str, ...]
    sampling: Sampling
    seed: int

    @property
    def length(self) -> int:
        """Tokens of the longest row of this job."""
        more = sum(map(len, self.answers)) if self.answers else self.sampling.length
        return max(map(len, self.prompts)) + more

    @property
    def kind(self) -> object:
        """Jobs of one kind may share a batch."""
        return self.answers or self.sampling


def jobs_of(
    calls: Sequence[Call], chat: Chat, context: int | None
) -> Iterator[tuple[int, Job | SendingError]]:
    """Every call by its index, tokenised, all texts together, or what is wrong with it.

    Args:
        calls: to answer.
        chat: the model's form.
        context: most tokens of prompt and answer together; None: unknown.

    Raises:
        ConfigError: if a call has a parameter that no local model has.
    """
    drafts: list[_Draft] = []
    for index, call in enumerate(calls):
        try:
            drafts.append(_draft(index, call, chat))
        except SendingError as error:
            yield index, error
    prompts = iter(chat.prompts([text for one in drafts for text in one.texts]))
    for draft in drafts:
        own = tuple(tuple(next(prompts)) for _ in draft.texts)
        try:
            yield draft.index, _job(draft, own, chat, context)
        except SendingError as error:
            yield draft.index, error


def _draft(index: int, call: Call, chat: Chat) -> _Draft:
    values = _parameters(call)
    if call.response_format:
        raise UnsupportedError("response_format", "a local model writes free text")
    options = values.get("chat_template_kwargs", {})
    texts = [chat.render(call.messages, options)]
    for question in values.get("content_free", ()) if call.choices else ():
        bare = (*call.messages[:-1], replace(call.messages[-1], content=question))
        texts.append(chat.render(bare, options))
    return _Draft(index, call, values, tuple(texts))


def _job(
    draft: _Draft, prompts: tuple[tuple[int, ...], ...], chat: Chat, context: int | None
) -> Job:
    call = draft.call
    job = Job(
        index=draft.index,
        prompts=prompts,
        answers=tuple(chat.answer(draft.texts[0], choice) for choice in call.choices),
        choices=call.choices,
        sampling=_sampling(draft.values, chat.stops),
        seed=int(call.key[:16], 16),
    )
    most = max(map(len, job.answers)) if job.answers else job.sampling.length
    if context is not None and len(prompts[0]) + most > context:
        raise RejectedError(
            f"prompt of {len(prompts[0])} tokens and answer of {most}: "
            f"the model reads {context} together"
        )
    return job


def _parameters(call: Call) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(call.parameters)
    unknown = sorted(set(values) - KNOWN)
    if unknown:
        raise ConfigError(
            f"annotator.parameters: a local model has no parameter {unknown[0]!r}; "
            f"known: {', '.join(sorted(KNOWN))}"
        )
    return values


def _sampling(values: dict[str, Any], stops: Sequence[str]) -> Sampling:
    stop = values.get("stop") or ()
    return Sampling(
        length=next((int(values[name]) for name in LIMITS if name in values), LENGTH),
        temperature=float(values.get("temperature") or 0.0),
        top_p=float(values.get("top_p", 1.0)),
        top_k=int(values.get("top_k") or 0),
        stops=(*stops, *([stop] if isinstance(stop, str) else stop)),
    )
