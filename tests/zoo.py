"""Plays one response shape of the fake service against a real backend, and says what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from harness.errors import ServiceError
from harness.testing.answers import answer
from harness.testing.cases import Case, Dialect
from harness.testing.service import ChatServer, Seen
from harness_plugins.llm.calls import Call, Outcome, Reply
from harness_plugins.llm.failures import TransientError
from harness_plugins.llm.sender import Backend
from harness_plugins.llm.service import Service
from harness_plugins.llm.services import LITELLM, OPENAI
from harness_plugins.llm.settings import LlmSettings
from tests.asking import ask, calls_for, settings_for

BACKENDS = ("thin", "client", "litellm")
"""JSON over HTTP, the vendor's client, and the router of providers."""
KEYS = tuple(
    f"{provider}_API_KEY"
    for provider in ("OPENAI", "AZURE", "ANTHROPIC", "GEMINI", "GROQ", "DEEPSEEK", "OPENROUTER")
)
"""Variables that hold the providers' keys."""
TEXTS, MANY = 8, 48
"""Texts of a run, and of one that must stop."""
MET = "text 3"
PAUSE_SECONDS = 0.02
"""What every pause that a server asks for is cut to, once it is noted."""


@dataclass(slots=True)
class Played:
    """What a run did: how each text ended, what was sent, which pauses were asked for."""

    outcomes: list[Outcome] = field(default_factory=list)
    stopped: str = ""
    pauses: list[float] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)

    @property
    def met(self) -> Outcome:
        """Of the text that met the shape."""
        return self.outcomes[3]

    @property
    def requests(self) -> int:
        """For that text."""
        return self.seen.texts[MET]

    def label(self, case: Case) -> str:
        """The outcome by its name."""
        if self.stopped:
            return "stop"
        if self.met.reply is None:
            return "abstain"
        if case.parameter and not any(case.applies(body, 0) for body in self.seen.bodies[-1:]):
            return "adapt"
        if self.requests == 1:
            return "answer"
        return "wait" if self.pauses else "retry"


class Watched:
    """A backend whose pauses are noted and cut short."""

    def __init__(self, backend: Backend, pauses: list[float]) -> None:
        self._backend, self._pauses = backend, pauses

    @property
    def lanes(self) -> int:
        """Those of the backend."""
        return self._backend.lanes

    async def send(self, call: Call, lane: int) -> Reply:
        """Send by it."""
        try:
            return await self._backend.send(call, lane)
        except TransientError as error:
            if error.retry_after or error.throttled:
                self._pauses.append(error.retry_after or 0.0)
                error.retry_after = PAUSE_SECONDS
            raise

    async def close(self) -> None:
        """Close it."""
        await self._backend.close()


def backends_of(case: Case) -> tuple[str, ...]:
    """Which backends can meet a shape: the vendor's own protocol is the router's alone."""
    return BACKENDS[2:] if case.native else BACKENDS if case.routed else BACKENDS[:2]


def play(server: ChatServer, name: str, dialect: Dialect, case: Case, by: str, at: Path) -> Played:
    """Run texts against one shape of a dialect.

    Args:
        server: one that keeps bodies.
        name, dialect: which.
        case: which shape.
        by: one of ``BACKENDS``.
        at: an empty folder.
    """
    played = Played()
    server.seen, server.meets = Seen(), lambda text: text == MET
    settings = _settings(server.address(name, case.name), dialect, case, by, played.pauses)
    try:
        calls = calls_for(settings, MANY if case.outcome == "stop" else TEXTS)
        played.outcomes = ask(settings, at / "replies.sqlite", calls)
    except ServiceError as error:
        played.stopped = str(error)
    played.seen = server.seen
    return played


def _settings(url: str, dialect: Dialect, case: Case, by: str, pauses: list[float]) -> LlmSettings:
    service: Service = LITELLM if by == "litellm" else OPENAI
    routed = dialect.native if case.native else dialect.routed
    watched = replace(service, backend=partial(_watched, service, pauses))
    sampling = {"temperature": 0.0, **({"logprobs": True} if case.logprob is not None else {})}
    if case.parameter == "max_completion_tokens":
        watched = replace(watched, limit_name=lambda settings: case.parameter)
    return settings_for(
        url,
        service=watched,
        model=routed if by == "litellm" else dialect.model,
        transport="client" if by == "client" else "thin",
        sampling=sampling,
        concurrency=2,
        timeout=2.0,
    )


def _watched(service: Service, pauses: list[float], settings: LlmSettings) -> Backend:
    assert service.backend is not None
    return Watched(service.backend(settings), pauses)


def mistake(case: Case, played: Played) -> str:
    """What is wrong about what came of a shape; "": nothing."""
    label = played.label(case)
    said = played.stopped or (played.outcomes and played.met.reason) or ""
    if label != case.outcome:
        return f"{label}: {said}" if said else label
    if "\n" in said or not said.isprintable():
        return f"unprintable: {said!r}"
    if case.says not in said:
        return f"says {said!r}"
    if label == "stop":
        sent = len(played.seen.requests)
        return f"{sent} requests before it stopped" if sent > case.within else ""
    others = [one for place, one in enumerate(played.outcomes) if place != 3]
    if lost := [one.reason for one in others if one.reply is None]:
        return f"another text: {lost[0]}"
    return _mistaken_reply(case, played)


def _mistaken_reply(case: Case, played: Played) -> str:
    reply = played.met.reply
    if case.outcome == "wait" and max(played.pauses) < case.seconds:
        return f"waited {max(played.pauses):g} s"
    if reply is None:
        return ""
    kept = case.outcome == "answer"
    right = answer({"messages": [{"content": MET}]})
    wanted = case.text.replace("$ANSWER", right) if kept else right
    text = reply.text.rpartition("</think>")[2]  # a router may have taken thoughts out
    if text.strip() != wanted.strip():
        return f"text {reply.text[:40]!r}"
    if kept and reply.finish != case.finish:
        return f"finish {reply.finish!r}"
    if kept and case.tokens and (reply.prompt_tokens, reply.completion_tokens) != case.tokens:
        return f"tokens {reply.prompt_tokens}, {reply.completion_tokens}"
    if case.logprob is not None and reply.logprob != case.logprob:
        return f"logprob {reply.logprob}"
    if case.becomes and case.becomes not in played.seen.bodies[-1]:
        return f"no {case.becomes}"
    return ""
