"""Killed or interrupted at any moment: nothing that was answered is asked for again."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness_plugins.llm.cache import ReplyCache
from tests.asking import ask, calls_for, expected, settings_for, texts_of
from tests.killing import IN_FLIGHT, asking, kill_again_and_again, kill_and_go_on, rows_of
from tests.servers.chat import ChatServer, running
from tests.servers.deliveries import RETURNED, DeliveryServer, delivering

PRICE = (500.0, 1500.0)


@pytest.mark.slow
@pytest.mark.parametrize(("transport", "kills", "count"), [("thin", 10, 1200), ("client", 2, 250)])
def test_killed_at_any_moment_and_no_text_is_answered_twice(
    transport: str, kills: int, count: int, tmp_path: Path
) -> None:
    path = tmp_path / "replies.sqlite"
    options: dict[str, Any] = {"transport": transport, "price": PRICE, "record": "R1"}
    with delivering(DeliveryServer(latency=0.1)) as server:
        printed = kill_and_go_on(server, path, count, kills, longest=0.7, **options)
        calls = calls_for(settings_for(server.url), count)
        assert set(server.sent.values()) == {1} and len(server.sent) == count
        assert server.requests == server.sent
    assert printed["texts"] == expected(calls)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["replies.sqlite"]
    with running(ChatServer()) as other:
        settings = settings_for(other.url, price=PRICE)
        undisturbed = ask(settings, tmp_path / "other", calls_for(settings, count))
    assert printed["texts"] == texts_of(undisturbed)
    # What is bought is counted once, by the record for which it was asked.
    with ReplyCache(path) as cache, ReplyCache(tmp_path / "other") as whole:
        spent, right = cache.spent("run-1"), whole.spent("run-1")
    assert (spent.requests, spent.tokens) == (right.requests, right.tokens)
    assert spent.cost_usd == pytest.approx(right.cost_usd)
    assert printed["paid"] == pytest.approx(right.cost_usd)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT DISTINCT record FROM replies").fetchall() == [("R1",)]
        assert connection.execute("SELECT count(*) FROM repeats").fetchone() == (0,)


@pytest.mark.slow
def test_without_a_courier_only_what_was_under_way_is_asked_again(tmp_path: Path) -> None:
    """``tests.servers.deliveries`` says what *successfully answered* means."""
    count, path = 400, tmp_path / "replies.sqlite"
    with delivering(DeliveryServer(latency=0.1)) as server:
        killed = kill_again_and_again(server, path, count, kills=3, longest=0.5, courier=False)
        assert 10 < len(killed.kept) < count
        assert killed.returned == 0  # of those that the server knows to be delivered, none is lost
        process = asking(server.url, path, count, courier=False)
        out, err = process.communicate(timeout=60)
        calls = calls_for(settings_for(server.url), count)
        assert (json.loads(out)["texts"], err) == (expected(calls), "")
        assert all(server.requests[text] == seen for text, seen in killed.kept.items())
        assert all(fates.count(RETURNED) <= 1 for fates in server.fates.values())
        bought_again = sum(server.sent.values()) - count
        assert bought_again == killed.read + killed.unread <= 3 * IN_FLIGHT


@pytest.mark.parametrize("courier", [True, False])
def test_ctrl_c_keeps_every_reply_and_shows_no_trace(courier: bool, tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with running(ChatServer(latency=0.2)) as server:
        process = asking(server.url, path, 500, courier=courier)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out.splitlines()[-1:], err) == (130, ["interrupted"], "")
        assert len(rows_of(path)) == len(server.seen.answered) == len(server.seen.requests) > 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["replies.sqlite"]


@pytest.mark.parametrize("courier", [True, False])
def test_a_second_ctrl_c_does_not_wait(courier: bool, tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with running(ChatServer(latency=0.05)) as server:
        server.faults.marked = {"text 2": "hang", "text 3": "hang"}
        process = asking(server.url, path, 60, courier=courier)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 5
        assert (process.returncode, out.splitlines()[-1:], err) == (130, ["interrupted"], "")
        assert len(rows_of(path)) > 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["replies.sqlite"]
