"""Sending over the network: what fails and passes, what fails for good, what is an answer."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harness.errors import ServiceError
from harness.testing.answers import completion
from harness.testing.faults import PASSING, Faults
from harness.testing.service import ChatServer, running
from harness_plugins.llm.calls import Call, Message, Reply
from harness_plugins.llm.failures import SendingError
from harness_plugins.llm.send.network import NetworkSender
from harness_plugins.llm.services import LITELLM
from harness_plugins.llm.settings import Pace
from tests.asking import ask, call_of, calls_for, engine_for, expected, settings_for, texts_of

QUICK = tuple(kind for kind in PASSING if kind not in ("hang", "trickle", "429-date"))
TRANSPORTS: dict[str, dict[str, Any]] = {
    "thin": {"transport": "thin"},
    "client": {"transport": "client"},
    "litellm": {"service": LITELLM, "model": "openai/gpt-3.5-turbo"},
}


@pytest.fixture(params=TRANSPORTS)
def backend(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every way to reach a chat server."""
    return TRANSPORTS[request.param]


@pytest.fixture(autouse=True)
def fast_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness_plugins.llm.send.retries.FIRST_SECONDS", 0.02)


def test_faults_that_pass_leave_every_text_answered_once(
    backend: dict[str, Any], tmp_path: Path
) -> None:
    with running(ChatServer(latency=0.01, faults=Faults(0.3, QUICK))) as server:
        settings = settings_for(server.url, **backend)
        calls = calls_for(settings, 30)
        assert texts_of(ask(settings, tmp_path / "r", calls)) == expected(calls)
        assert set(server.seen.answered.values()) == {1}
        assert len(server.seen.faults) >= 5


@pytest.mark.parametrize("kind", ["hang", "trickle"])
def test_what_takes_too_long_is_asked_again(
    kind: str, backend: dict[str, Any], tmp_path: Path
) -> None:
    with running(ChatServer(faults=Faults(0.5, (kind,), seed=1))) as server:
        settings = settings_for(server.url, timeout=0.4, **backend)
        calls = calls_for(settings, 4)
        assert texts_of(ask(settings, tmp_path / "r", calls)) == expected(calls)
        assert server.seen.faults[kind] >= 2


@pytest.mark.parametrize("kind", sorted({*PASSING} - {"429-date"}))
def test_a_text_that_always_fails_ends_alone(kind: str, tmp_path: Path) -> None:
    with running(ChatServer(faults=Faults(marked={"text 3": kind}))) as server:
        settings = settings_for(server.url, timeout=0.5, retries=1)
        calls = calls_for(settings, 8)
        outcomes = ask(settings, tmp_path / "r", calls)
        wanted = expected(calls)
        wanted[3] = None
        assert texts_of(outcomes) == wanted
        assert outcomes[3].reason.startswith("no reply after ")
        seen = len(server.seen.requests)
        ask(settings, tmp_path / "r", calls)  # a failure is not kept: it is asked again
        assert len(server.seen.requests) > seen


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("400", "Invalid request"),
        ("context", "too long for the model"),
        ("filtered", "content filter"),
    ],
)
def test_a_refusal_that_would_come_again_is_asked_once(
    kind: str, reason: str, backend: dict[str, Any], tmp_path: Path
) -> None:
    with running(ChatServer(faults=Faults(marked={"text 3": kind}))) as server:
        settings = settings_for(server.url, **backend)
        outcomes = ask(settings, tmp_path / "r", calls_for(settings, 5))
        assert reason in outcomes[3].reason
        assert len(server.seen.requests) == 5


@pytest.mark.parametrize(
    ("kind", "text", "finish"),
    [
        ("refusal", "I cannot.", "refusal"),
        ("content-filter", "", "content_filter"),
        ("wrong-label", "purple", "stop"),
        ("empty", "", "stop"),
        ("length", None, "length"),
    ],
)
def test_odd_answers_are_answers(
    kind: str, text: str | None, finish: str, backend: dict[str, Any], tmp_path: Path
) -> None:
    with running(ChatServer(faults=Faults(1.0, (kind,)))) as server:
        settings = settings_for(server.url, **backend)
        (outcome,) = ask(settings, tmp_path / "r", calls_for(settings, 1))
        assert outcome.reply is not None
        if backend.get("service") != LITELLM or kind != "refusal":
            assert outcome.reply.finish == finish
            assert text is None or outcome.reply.text == text
        assert len(server.seen.requests) == 1


def test_tokens_are_counted_where_the_server_does_not(tmp_path: Path) -> None:
    with running(ChatServer(faults=Faults(1.0, ("no-usage",)))) as server:
        settings = settings_for(server.url, price=(0.5, 1.5))
        (outcome,) = ask(settings, tmp_path / "r", calls_for(settings, 1))
        reply = outcome.reply
        assert reply is not None and reply.estimated
        assert 10 <= reply.prompt_tokens <= 25 and 1 <= reply.completion_tokens <= 3
        assert reply.cost_usd == pytest.approx(
            reply.prompt_tokens * 0.5e-6 + reply.completion_tokens * 1.5e-6
        )


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("401", "rejected the key"),
        ("quota", "the quota of the key is used up"),
        ("no-model", "does not know model"),
        ("404", "check annotator.base_url"),
    ],
)
def test_a_dead_end_stops_at_once(
    kind: str, line: str, backend: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-this-test")
    if kind == "404" and backend.get("service") == LITELLM:
        line = "does not know model|no chat completions"
    with running(ChatServer(faults=Faults(1.0, (kind,)))) as server:
        settings = settings_for(server.url, concurrency=4, **backend)
        with pytest.raises(ServiceError, match=line) as stopped:
            ask(settings, tmp_path / "r", calls_for(settings, 200))
        assert len(server.seen.requests) <= 8
        assert "\n" not in str(stopped.value)
        assert "kept" not in str(stopped.value) and "goes on" not in str(stopped.value)


def test_a_retired_model_says_what_to_use(tmp_path: Path) -> None:
    with running(ChatServer(known_models=["other"])) as server:
        settings = settings_for(server.url)
        with pytest.raises(ServiceError, match=r"2026-10-23.*gpt-6-luna.*base_url.*replay"):
            ask(settings, tmp_path / "r", calls_for(settings, 3))


def test_a_server_that_is_not_there_is_said_soon(backend: dict[str, Any], tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        settings = settings_for(url, **backend)
        start = time.monotonic()
        with pytest.raises(ServiceError, match="cannot be reached") as stopped:
            ask(settings, tmp_path / "r", calls_for(settings, 50))
        assert "kept" not in str(stopped.value)  # there is none
        assert time.monotonic() - start < 10


def test_a_server_that_goes_away_leaves_what_it_answered(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url, retries=0)
        with engine_for(settings, tmp_path / "r") as engine:
            engine.ask(calls_for(settings, 5))
            server_is_gone = calls_for(settings, 5, first=5)
            server.faults = Faults(1.0, ("500",))
            with pytest.raises(ServiceError, match=r"are kept: the same command goes on later$"):
                engine.ask(server_is_gone + calls_for(settings, 50, first=10))


def test_an_address_that_cannot_be_asked_is_said_at_once(tmp_path: Path) -> None:
    settings = settings_for("http://127.0.0.1:99999/v1", transport="thin")
    start = time.monotonic()
    with pytest.raises(ServiceError, match=r"check annotator\.base_url"):
        ask(settings, tmp_path / "r", calls_for(settings, 3))
    assert time.monotonic() - start < 5


def test_a_server_that_only_fails_is_given_up(tmp_path: Path) -> None:
    with running(ChatServer(faults=Faults(1.0, ("500",)))) as server:
        settings = settings_for(server.url)
        with pytest.raises(ServiceError, match="none succeeded"):
            ask(settings, tmp_path / "r", calls_for(settings, 1000))
        assert len(server.seen.requests) < 100


def test_a_page_of_html_is_no_answer(tmp_path: Path) -> None:
    with running(ChatServer(faults=Faults(1.0, ("html",)))) as server:
        settings = settings_for(server.url)
        with pytest.raises(ServiceError, match="not JSON"):
            ask(settings, tmp_path / "r", calls_for(settings, 1000))


def test_a_feature_nobody_asked_for_is_left_out(backend: dict[str, Any], tmp_path: Path) -> None:
    class Picky(ChatServer):
        def refusal(self, body: Any, key: str) -> Any:
            from aiohttp import web

            if "temperature" not in body:
                return None
            error = {"message": "Unsupported value: 'temperature' does not support 0"}
            return web.json_response({"error": error}, status=400)

    notes: list[str] = []
    with running(Picky()) as server:
        settings = settings_for(server.url, concurrency=4, **backend)
        calls = calls_for(settings, 50)
        assert texts_of(ask(settings, tmp_path / "r", calls, notes=notes)) == expected(calls)
        assert len(server.seen.requests) <= 58
        assert any("temperature: it is left out" in note for note in notes)
        insisting = settings_for(server.url, optional=frozenset(), **backend)
        (outcome,) = ask(insisting, tmp_path / "r", calls_for(insisting, 1, first=100))
        assert outcome.reply is None and "temperature" in outcome.reason


def test_seeds_differ_between_samples_and_logprobs_are_summed(tmp_path: Path) -> None:
    import dataclasses

    with running(ChatServer(keep_bodies=True)) as server:
        settings = settings_for(server.url, sampling={"seed": 5, "logprobs": True})
        call = call_of(settings, "a text")
        again = dataclasses.replace(call, sample=1)
        outcomes = ask(settings, tmp_path / "r", [call, again])
        assert sorted(body["seed"] for body in server.seen.bodies) == [5, 6]
        assert [outcome.reply and outcome.reply.logprob for outcome in outcomes] == [-0.25] * 2


def test_a_running_event_loop_is_no_hindrance(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url)
        calls = calls_for(settings, 5)

        async def inside() -> list[str | None]:
            with engine_for(settings, tmp_path / "r") as engine:
                return texts_of(engine.ask(calls))

        assert asyncio.run(inside()) == expected(calls)


def test_progress_rises_to_the_total(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with running(ChatServer(latency=0.05)) as server:
        settings = settings_for(server.url, concurrency=4)
        with engine_for(settings, tmp_path / "r") as engine:
            engine.ask(calls_for(settings, 40), lambda done, total: told.append((done, total)))
    assert told[0] == (0, 40) and told[-1] == (40, 40)
    assert told == sorted(told) and len(told) > 3


def test_text_that_no_encoding_holds_is_sent(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url)
        call = call_of(settings, "odd \u2028 \x00 \U0001f600")
        assert isinstance(call.messages[0], Message)
        (outcome,) = ask(settings, tmp_path / "r", [call])
        assert outcome.reply is not None


class Faulty:
    """A backend with a mistake in it: it fails at one text in a way that nobody foresaw."""

    lanes = 1

    async def send(self, call: Call, lane: int) -> Reply:
        """Answer slowly, or fail before the others are answered."""
        await asyncio.sleep(0.05)
        if call.messages[-1].content == "text 1":
            raise ValueError("a mistake")
        await asyncio.sleep(0.2)
        return Reply("positive")

    async def close(self) -> None:
        """Nothing is held."""


def test_a_mistake_in_a_backend_loses_no_reply_that_is_on_its_way() -> None:
    told: dict[int, Reply | SendingError] = {}
    calls = calls_for(settings_for("http://127.0.0.1:9/v1"), 50)
    sender = NetworkSender(Faulty(), Pace(concurrency=4))
    try:
        with pytest.raises(ValueError, match="a mistake"):
            sender.send(calls, lambda index, *, bought=False: None, told.__setitem__)
    finally:
        sender.close()
    assert sorted(told) == [0, 2, 3]


def test_a_usage_that_cannot_be_is_counted_here(tmp_path: Path) -> None:
    async def absurd(request: web.Request) -> web.Response:
        body = completion(await request.json(), "positive")
        body["usage"]["prompt_tokens"] = 2**63
        body["choices"][0]["logprobs"] = {"content": 5}
        return web.json_response(body)

    with running(ChatServer(routes=[web.post("/absurd/chat/completions", absurd)])) as server:
        settings = settings_for(server.url.replace("/v1", "/absurd"))
        (outcome,) = ask(settings, tmp_path / "r", calls_for(settings, 1))
    assert outcome.reply is not None
    assert (outcome.reply.estimated, outcome.reply.logprob) == (True, None)
    assert 0 < outcome.reply.prompt_tokens < 100
