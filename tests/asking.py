"""What the tests of the LLM engine share: settings for a server, calls, an opened engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.protocols import Account, AnnotatorRequest
from harness.testing.answers import answer
from harness_plugins.annotators.llm.annotator import LlmAnnotator
from harness_plugins.llm.calls import Call, Message, Outcome
from harness_plugins.llm.engine import Engine
from harness_plugins.llm.open_engine import open_engine
from harness_plugins.llm.presets import Preset
from harness_plugins.llm.services import LITELLM, OPENAI, TRANSFORMERS
from harness_plugins.llm.settings import LlmKeys, LlmSettings, Pace
from harness_plugins.llm.settings import settings_of as settings_with

MODEL = "gpt-3.5-turbo"
SERVICES = {service.name: service for service in (OPENAI, LITELLM, TRANSFORMERS)}


def settings_of(request: AnnotatorRequest, preset: Preset | None = None) -> LlmSettings:
    """What a request asks of the built-in services."""
    return settings_with(request, SERVICES, preset)


def annotator_of(request: AnnotatorRequest) -> LlmAnnotator:
    """The annotator that asks one of the built-in services."""
    return LlmAnnotator.from_request(request, SERVICES)


def settings_for(url: str, **changes: Any) -> LlmSettings:
    """Settings for a server of our own; keys of ``Pace`` and ``LlmKeys`` go where they belong."""
    pace = {key: changes.pop(key) for key in list(changes) if key in Pace.__dataclass_fields__}
    if "price" in changes:
        changes["price_input"], changes["price_output"] = changes.pop("price")
    asked = (LlmKeys.model_fields.keys() - LlmSettings.__dataclass_fields__) & changes.keys()
    keys = LlmKeys(**{key: changes.pop(key) for key in asked})
    plain = LlmSettings(
        OPENAI,
        MODEL,
        url,
        url,
        {"temperature": 0.0},
        optional=frozenset({"temperature", "response_format"}),
        pace=Pace(**{"concurrency": 16, "timeout": 20.0, **pace}),
        keys=keys,
    )
    return replace(plain, **changes)


def calls_for(settings: LlmSettings, count: int, first: int = 0) -> list[Call]:
    """One call for each of ``text 0``, ``text 1`` …"""
    return [call_of(settings, f"text {number}") for number in range(first, first + count)]


def call_of(settings: LlmSettings, text: str) -> Call:
    messages = (Message("system", "Answer with the label alone."), Message("user", text))
    return Call(settings.endpoint, settings.model, messages, settings.parameters())


@contextlib.contextmanager
def engine_for(
    settings: LlmSettings,
    replies: Path,
    *,
    run_id: str = "run-1",
    budget: float | None = None,
    notes: list[str] | None = None,
    record: str = "",
) -> Iterator[Engine]:
    """An engine over the real backend and a cache file."""
    said = notes if notes is not None else []
    account = Account(run_id, replies, budget, said.append, lambda: record)
    with open_engine(settings, account) as engine:
        yield engine


def ask(settings: LlmSettings, replies: Path, calls: list[Call], **options: Any) -> list[Outcome]:
    """Open an engine, ask, close."""
    with engine_for(settings, replies, **options) as engine:
        return engine.ask(calls)


def texts_of(outcomes: list[Outcome]) -> list[str | None]:
    """What was answered; None where nothing was."""
    return [outcome.reply.text if outcome.reply else None for outcome in outcomes]


def expected(calls: list[Call]) -> list[str | None]:
    """What the chat server answers."""
    return [answer({"messages": [{"content": call.messages[-1].content}]}) for call in calls]
