"""No dollar past the cap, no answer bought twice, no run that goes on or stops for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import BudgetError, ServiceError
from harness.testing.answers import completion
from harness.testing.service import ChatServer, running
from harness_plugins.llm.cache import ReplyCache
from harness_plugins.llm.cost.prices import FREE, price_of
from harness_plugins.llm.send.breaker import KEPT
from harness_plugins.llm.services import LITELLM
from tests.asking import ask, calls_for, settings_for, texts_of
from tests.billing import PRICE, asking, billing, error, good
from tests.killing import until

CAP = 0.5


@pytest.fixture(autouse=True)
def fast_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness_plugins.llm.send.retries.FIRST_SECONDS", 0.02)


def empty(number: int, body: dict[str, Any]) -> tuple[int, Any]:
    """Every third answer holds no choice and bills 4096 tokens."""
    said = completion(body, "positive")
    if number % 3 == 2:
        said |= {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 4096}}
    return 200, said


def failing(number: int, body: dict[str, Any]) -> tuple[int, Any]:
    """Every third answer is an error that bills 4096 tokens."""
    if number % 3 == 2:
        return 500, {"error": {"message": "x"}, "usage": {"completion_tokens": "4096"}}
    return good(body)


@pytest.mark.parametrize("respond", [empty, failing])
@pytest.mark.parametrize("service", ["thin", "litellm"])
def test_the_cap_holds_whatever_a_body_says(respond: Any, service: str, tmp_path: Path) -> None:
    more = {"service": LITELLM, "model": "openai/any"} if service == "litellm" else {}
    with billing(respond) as bill:
        settings = settings_for(bill.url, price=PRICE, concurrency=32, **more)
        calls = calls_for(settings, 60)
        with pytest.raises(BudgetError):
            ask(settings, tmp_path / "r", calls, budget=CAP)
        assert 0.3 < bill.billed_usd <= CAP
        with ReplyCache(tmp_path / "r") as cache:
            assert cache.spent("run-1").cost_usd == pytest.approx(bill.billed_usd)
        # All of it, also what was paid before, is reported once there is money for the rest.
        outcomes = ask(settings, tmp_path / "r", calls, budget=10.0)
        assert None not in texts_of(outcomes)
        assert sum(one.spent.cost_usd for one in outcomes) == pytest.approx(bill.billed_usd)
        assert sum(one.spent.requests for one in outcomes) == bill.requests


@pytest.mark.parametrize(
    ("usage", "least"),
    [
        ({"prompt_tokens": 20, "completion_tokens": "4096"}, 4096),
        ({"prompt_tokens": 20, "completion_tokens": None}, 64),
        ({"prompt_tokens": 20, "completion_tokens": -4096}, 64),
        ({"prompt_tokens": 20, "completion_tokens": 2**70}, 64),
        ({"prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 500}, 480),
        (
            {
                "prompt_tokens": 20,
                "completion_tokens": 1,
                "completion_tokens_details": {"reasoning_tokens": 700},
            },
            701,
        ),
        (None, 64),
    ],
)
def test_a_usage_that_cannot_be_trusted_counts_as_what_was_reserved(
    usage: Any, least: int, tmp_path: Path
) -> None:
    with billing(lambda _, body: (200, completion(body, "positive") | {"usage": usage})) as bill:
        settings = settings_for(bill.url, price=PRICE)
        (outcome,) = ask(settings, tmp_path / "r", calls_for(settings, 1))
    assert outcome.reply is not None
    assert outcome.reply.completion_tokens == least
    assert 10 <= outcome.reply.prompt_tokens <= 30


def test_thoughts_that_the_usage_leaves_out_are_counted(tmp_path: Path) -> None:
    def thinking(number: int, body: dict[str, Any]) -> tuple[int, Any]:
        said = completion(body, "positive")
        said["choices"][0]["message"]["reasoning_content"] = "It sounds glad to me. " * 200
        return 200, said

    with billing(thinking) as bill:
        settings = settings_for(bill.url, price=PRICE)
        (outcome,) = ask(settings, tmp_path / "r", calls_for(settings, 1))
    assert outcome.reply is not None and outcome.reply.completion_tokens > 1000


# --- several runs at once -------------------------------------------------------------


def test_four_processes_buy_each_answer_once(tmp_path: Path) -> None:
    with running(ChatServer(latency=0.02)) as server:
        processes = [asking(server.url, tmp_path / "r", number, 300) for number in range(4)]
        assert [process.communicate(timeout=90)[0] for process in processes] == ["300\n"] * 4
        assert len(server.seen.requests) == len(server.seen.texts) == 300


def test_the_claims_of_a_killed_process_lapse(tmp_path: Path) -> None:
    with running(ChatServer(latency=0.05)) as server:
        first = asking(server.url, tmp_path / "r", 0, 200)
        until(lambda: len(server.seen.requests) > 40)
        others = [asking(server.url, tmp_path / "r", number, 200) for number in range(1, 4)]
        until(lambda: len(server.seen.requests) > 100)
        first.kill()  # and nobody takes its exit code: its process id stays
        assert [process.communicate(timeout=90)[0] for process in others] == ["200\n"] * 3
        first.communicate()
        lost = len(server.seen.requests) - 200
        assert 0 <= lost <= 8 and len(server.seen.texts) == 200


# --- a hopeless run stops, any other goes on ------------------------------------------


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (lambda n, b: error(400, f"something is wrong, request {n}"), "something is wrong"),
        (lambda n, b: (400, [error(400, "Request contains an invalid argument.")[1]]), "invalid"),
        (lambda n, b: (400, [error(400, "API key not valid. Pass a valid one.")[1]]), "not valid"),
        (lambda n, b: error(403, "Your country is not served"), "country"),
        (lambda n, b: error(404, "Not Found"), r"annotator\.base_url"),
        (lambda n, b: error(200, "out of order", code=403), "out of order"),
    ],
)
def test_a_hopeless_run_stops_with_the_servers_words(
    respond: Any, said: str, tmp_path: Path
) -> None:
    with billing(respond) as bill:
        settings = settings_for(bill.url)
        with pytest.raises(ServiceError, match=said) as stopped:
            ask(settings, tmp_path / "r", calls_for(settings, 430))
        assert bill.requests <= 20 + 16 and KEPT not in str(stopped.value)


def test_refusals_after_answers_stop_as_well_and_say_what_is_kept(tmp_path: Path) -> None:
    def later(number: int, body: dict[str, Any]) -> tuple[int, Any]:
        return good(body) if number < 50 else error(400, "not today")

    with billing(later) as bill:
        settings = settings_for(bill.url)
        with pytest.raises(ServiceError, match=f"not today.*{KEPT}"):
            ask(settings, tmp_path / "r", calls_for(settings, 430))
        assert bill.requests <= 50 + 20 + 16


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (error(403, "Your input was flagged"), "flagged"),
        (error(200, "flagged for violence", code=403), "flagged"),
        (error(400, "filtered", code="content_filter"), "filter"),
        (error(403, "<html><b>Forbidden</b></html>"), "Forbidden"),
        (error(404, "Not Found"), "404"),
        (error(405, "Method Not Allowed"), "405"),
        (error(400, "this model has no access to images"), "images"),
        (error(200, "Provider returned error", code=502), "Provider returned error"),
    ],
)
def test_one_texts_refusal_is_its_own(response: Any, reason: str, tmp_path: Path) -> None:
    def respond(number: int, body: dict[str, Any]) -> tuple[int, Any]:
        return response if body["messages"][-1]["content"] == "text 20" else good(body)

    with billing(respond) as bill:
        settings = settings_for(bill.url, concurrency=4)
        outcomes = ask(settings, tmp_path / "r", calls_for(settings, 60))
    assert texts_of(outcomes).count(None) == 1 and reason in outcomes[20].reason


def test_a_streak_of_flagged_texts_does_not_stop_a_run(tmp_path: Path) -> None:
    def respond(number: int, body: dict[str, Any]) -> tuple[int, Any]:
        place = int(body["messages"][-1]["content"].split()[1])
        said = completion(body, "po")
        said["choices"][0]["finish_reason"] = "error"
        flagged = error(403, "Your input was flagged") if place % 2 else (200, said)
        return flagged if 20 <= place < 80 else good(body)

    with billing(respond) as bill:
        settings = settings_for(bill.url, concurrency=4)
        outcomes = ask(settings, tmp_path / "r", calls_for(settings, 100))
        assert texts_of(outcomes).count(None) == 60
        assert max(bill.texts.values()) == 4  # a failed generation is sent again a few times


# --- plain remedies -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "said", "sent"),
    [
        (
            lambda body: "temperature" in body,
            "`temperature` is deprecated for this model.",
            {"max_tokens": 64},
        ),
        (
            lambda body: "max_tokens" in body,
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            {"max_completion_tokens": 64, "temperature": 0.0},
        ),
        (
            lambda body: body["max_tokens"] > 32,
            "max_tokens is too large: 64. This model supports at most 32 completion tokens.",
            {"max_tokens": 32, "temperature": 0.0},
        ),
    ],
)
def test_a_plain_remedy_is_applied_once_and_said(
    refused: Any, said: str, sent: dict[str, Any], tmp_path: Path
) -> None:
    notes: list[str] = []
    with billing(lambda n, body: error(400, said) if refused(body) else good(body)) as bill:
        settings = settings_for(bill.url)
        outcomes = ask(settings, tmp_path / "r", calls_for(settings, 60), notes=notes)
        assert None not in texts_of(outcomes) and len(notes) == 1
        assert bill.requests <= 60 + 16
        last = {name: bill.bodies[-1].get(name) for name in sent}
        assert last == sent and set(bill.bodies[-1]) == {"model", "messages", *sent}


def test_what_the_user_sets_is_sent_as_it_is(tmp_path: Path) -> None:
    said = "max_tokens is too large: 64. This model supports at most 32 completion tokens."
    with billing(lambda n, body: error(400, said)) as bill:
        settings = settings_for(bill.url, sampling={"max_tokens": 64})
        with pytest.raises(ServiceError, match="at most 32"):
            ask(settings, tmp_path / "r", calls_for(settings, 60))
        assert {body["max_tokens"] for body in bill.bodies} == {64}


# --- limits and prices ----------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"service": LITELLM, "model": "openai/any"}])
def test_a_limit_is_waited_for_and_an_empty_purse_is_not(
    more: dict[str, Any], tmp_path: Path
) -> None:
    said = "Rate limit reached. Need more? https://llm.example.org/settings/billing"
    limit = error(429, said, code="rate_limit_exceeded")
    with billing(lambda n, b: limit if n == 5 else good(b), {"retry-after": "1"}) as bill:
        settings = settings_for(bill.url, **more)
        assert None not in texts_of(ask(settings, tmp_path / "r", calls_for(settings, 20)))
    empty_purse = error(429, "You exceeded your current quota", code="insufficient_quota")
    with billing(lambda n, b: empty_purse) as bill:
        settings = settings_for(bill.url, **more)
        with pytest.raises(ServiceError, match="quota of the key is used up"):
            ask(settings, tmp_path / "r", calls_for(settings, 20))


@pytest.mark.parametrize(
    ("url", "free"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://192.168.3.7:8000/v1", True),
        ("http://10.0.0.2/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://gpu.local/v1", True),
        ("https://llm.example.org/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_a_server_of_ones_own_costs_nothing(url: str, free: bool) -> None:
    assert (price_of(settings_for(url)) == FREE) is free
    assert price_of(settings_for(url, price=PRICE)) != FREE
