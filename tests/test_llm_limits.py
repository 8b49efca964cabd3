"""Limits wait rather than fail; keys work side by side; the window follows the server."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from harness.errors import BudgetError, CommandError, ServiceError
from harness.testing.answers import completion
from harness.testing.faults import Faults
from harness.testing.service import ChatServer, running
from harness_plugins.llm.failures import TransientError
from harness_plugins.llm.send.pacing import Bucket, Lane
from harness_plugins.llm.send.refusals import pause_of
from harness_plugins.llm.send.retries import LONGEST_SECONDS, Attempts, backoff
from harness_plugins.llm.settings import Pace
from tests.asking import ask, calls_for, engine_for, expected, settings_for, texts_of


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("limit", [7, 60, 500, 100_000])
def test_no_minute_holds_more_than_the_limit(limit: int) -> None:
    clock, rng, taken = Clock(), random.Random(limit), []
    bucket = Bucket(limit, clock)
    while clock.now < 100 + 240:
        amount = rng.randint(1, max(1, limit // 60))
        clock.now += bucket.wait(amount) + rng.choice([0.0, 0.0, 0.01, 5.0])
        bucket.take(amount)
        taken.append((clock.now, amount))
    for start, _ in taken:
        within = sum(amount for at, amount in taken if start <= at < start + 60)
        assert within <= limit + 1e-6
    assert sum(amount for _, amount in taken) > limit  # and it is used


def test_what_was_not_used_is_given_back() -> None:
    clock = Clock()
    bucket = Bucket(600, clock)
    bucket.take(500)  # more than it holds: the next waits for all of it
    assert bucket.wait(10) == pytest.approx(500 / (590 / 60), rel=0.01)
    bucket.take(-495)
    assert bucket.wait(5) == 0.0


def test_requests_per_minute_wait(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url, requests_per_minute=600)
        calls = calls_for(settings, 25)
        start = time.monotonic()
        assert texts_of(ask(settings, tmp_path / "r", calls)) == expected(calls)
        assert time.monotonic() - start >= (25 - 10) / 10 - 0.1
        assert len(server.seen.requests) == 25
        assert sum(at < server.seen.requests[0] + 0.5 for at in server.seen.requests) <= 16


def test_tokens_per_minute_are_corrected_by_usage(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url, tokens_per_minute=6000)
        calls = calls_for(settings, 40)  # reserve about 90 tokens each, use 8: not 36 s
        start = time.monotonic()
        assert texts_of(ask(settings, tmp_path / "r", calls)) == expected(calls)
        assert time.monotonic() - start < 12
        assert server.seen.concurrent <= 3


def test_keys_work_side_by_side_each_within_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEYS", "first-of-two, second-of-two")
    with running(ChatServer()) as server:
        settings = settings_for(server.url, requests_per_minute=600, key_env="MY_KEYS")
        calls = calls_for(settings, 40)
        start = time.monotonic()
        assert texts_of(ask(settings, tmp_path / "r", calls)) == expected(calls)
        assert time.monotonic() - start >= 0.9
        assert set(server.seen.keys) == {"first-of-two", "second-of-two"}
        assert all(15 <= count <= 25 for count in server.seen.keys.values())


def test_a_key_rejected_half_way_leaves_the_work_to_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEYS", "first-of-two,second-of-two")
    notes: list[str] = []
    with running(ChatServer(rejected_keys={"first-of-two": 50}, latency=0.005)) as server:
        settings = settings_for(server.url, key_env="MY_KEYS")
        calls = calls_for(settings, 200)
        assert texts_of(ask(settings, tmp_path / "r", calls, notes=notes)) == expected(calls)
        assert 50 <= server.seen.keys["first-of-two"] <= 66
        (note,) = [note for note in notes if "rejected" in note]
        assert "key 1 of 2" in note and "first-of-two" not in note
        assert note.endswith("; 1 other key goes on")
        assert set(server.seen.answered.values()) == {1}


def test_the_last_key_rejected_stops_with_what_was_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEYS", "the-only-key")
    with running(ChatServer(rejected_keys={"the-only-key": 50}, latency=0.005)) as server:
        settings = settings_for(server.url, key_env="MY_KEYS")
        calls = calls_for(settings, 200)
        with pytest.raises(ServiceError, match=r"rejected the key.*received so far are kept$"):
            ask(settings, tmp_path / "r", calls)
        assert len(server.seen.answered) == 49
        server.rejected_keys = {}
        assert texts_of(ask(settings, tmp_path / "r", calls)) == expected(calls)
        assert set(server.seen.answered.values()) == {1}


def test_the_window_shrinks_when_throttled_and_grows_again() -> None:
    clock = Clock()
    lane = Lane(Pace(concurrency=32), clock)
    for _ in range(3):  # chance
        lane.throttled(2.0)
    assert lane.window == 32
    for _ in range(5):  # one burst counts once
        lane.throttled(2.0)
    assert lane.window == pytest.approx(32 * 0.7)
    assert lane.wait(0) == pytest.approx(2.0)
    clock.now += 2.0
    assert lane.wait(0) == 0.0
    for _ in range(1000):
        lane.answered()
    assert lane.window == 32
    for _ in range(50):
        clock.now += 2.0
        lane.throttled(0.0)
    assert lane.window == 1


def test_a_server_that_throttles_gets_all_texts_in_the_end(tmp_path: Path) -> None:
    with running(ChatServer(latency=0.02, per_minute=2400)) as server:
        settings = settings_for(server.url, concurrency=32)
        calls = calls_for(settings, 60)
        assert texts_of(ask(settings, tmp_path / "r", calls)) == expected(calls)
        assert set(server.seen.answered.values()) == {1}
        assert len(server.seen.requests) < 6 * 60


def test_a_date_to_retry_after_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.testing.cases.AHEAD_SECONDS", 2.5)
    with running(ChatServer(faults=Faults(0.3, ("429-date",), seed=3))) as server:
        settings, start = settings_for(server.url, concurrency=4), time.monotonic()
        calls = calls_for(settings, 8)
        assert texts_of(ask(settings, tmp_path / "r", calls)) == expected(calls)
        assert server.seen.faults["429-date"] >= 1
        assert time.monotonic() - start > 1.4  # a date has no fractions


def test_a_pause_of_a_day_is_cut_short_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness_plugins.llm.send.retries.LONGEST_RETRY_AFTER", 0.4)
    monkeypatch.setattr("harness_plugins.llm.send.network.LONG_PAUSE_SECONDS", 0.3)
    seen: list[float] = []

    async def throttling(request: web.Request) -> web.Response:
        seen.append(time.monotonic())
        if len(seen) <= 4:
            body = {"error": {"message": "requests per day"}}
            return web.json_response(body, status=429, headers={"Retry-After": "86400"})
        return web.json_response(completion(await request.json(), "positive"))

    notes: list[str] = []
    with running(ChatServer(routes=[web.post("/day/chat/completions", throttling)])) as server:
        settings = settings_for(server.url.replace("/v1", "/day"))
        outcomes = ask(settings, tmp_path / "r", calls_for(settings, 4), notes=notes)
    assert texts_of(outcomes) == ["positive"] * 4
    assert 0.4 <= seen[4] - seen[3] < 5
    assert sum("the server asks to wait" in note for note in notes) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"x-ratelimit-reset-requests": "1s"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30.5s"}, 90.5),
        ({}, None),
    ],
)
def test_what_a_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert pause_of(headers) == pytest.approx(seconds)


def test_a_date_ahead_is_the_time_until_then() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert pause_of({"retry-after": date}) == pytest.approx(30, abs=2)


def test_pauses_grow_are_jittered_and_never_undercut_the_server() -> None:
    pauses = [
        [backoff(Attempts(failed=tried), TransientError("x")) for _ in range(300)]
        for tried in (1, 4, 30)
    ]
    assert max(pauses[0]) <= 0.5 < max(pauses[1]) <= 4 < max(pauses[2]) <= LONGEST_SECONDS
    assert len(set(pauses[0])) > 250
    asked = [backoff(Attempts(throttled=1), TransientError("x", retry_after=5)) for _ in range(99)]
    assert 5 <= min(asked) < max(asked) <= 6


# --- budget ---------------------------------------------------------------------------


def test_a_budget_stops_in_time_and_a_higher_one_goes_on(tmp_path: Path) -> None:
    with running(ChatServer(latency=0.01)) as server:
        settings = settings_for(server.url, price=(1000.0, 1000.0), max_tokens=2)
        calls = calls_for(settings, 100)  # 8 tokens, $0.008 each
        with pytest.raises(BudgetError, match=r"spent \$0\.\d+ of the budget of \$0\.2.*--budget"):
            ask(settings, tmp_path / "r", calls, budget=0.2)
        paid = len(server.seen.requests)
        assert 0.2 - 0.04 < paid * 0.008 <= 0.2
        with pytest.raises(BudgetError):
            ask(settings, tmp_path / "r", calls, budget=0.2)
        assert len(server.seen.requests) == paid
        outcomes = ask(settings, tmp_path / "r", calls, budget=1.0)
        assert texts_of(outcomes) == expected(calls)
        assert all(outcome.paid for outcome in outcomes)
        assert set(server.seen.answered.values()) == {1}


def test_another_runs_replies_cost_nothing(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url, price=(1000.0, 1000.0))
        calls = calls_for(settings, 10)
        ask(settings, tmp_path / "r", calls)
        outcomes = ask(settings, tmp_path / "r", calls, run_id="run-2", budget=1e-9)
        assert texts_of(outcomes) == expected(calls)
        assert not any(outcome.paid for outcome in outcomes)


def test_a_budget_needs_a_price(tmp_path: Path) -> None:
    settings = settings_for("https://llm.example.org/v1", model="a-model-of-mine")
    with (
        pytest.raises(CommandError, match=r"annotator\.price_input"),
        engine_for(settings, tmp_path / "r", budget=1.0),
    ):
        pass
    notes: list[str] = []
    with engine_for(settings, tmp_path / "r", notes=notes):
        assert "no price is known for model 'a-model-of-mine'" in notes[0]
