"""Killed or interrupted at any moment: nothing that was answered is asked for again."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from harness.testing.service import ChatServer, running
from tests.asking import calls_for, expected, settings_for
from tests.killing import IN_FLIGHT, asking, kill_again_and_again, rows_of
from tests.servers.deliveries import RETURNED, DeliveryServer, delivering

PRICE = (500.0, 1500.0)


@pytest.mark.slow
def test_only_what_was_in_flight_is_asked_again_after_a_kill(tmp_path: Path) -> None:
    """``tests.servers.deliveries`` says what *successfully answered* means."""
    count, path = 400, tmp_path / "replies.sqlite"
    with delivering(DeliveryServer(latency=0.1)) as server:
        killed = kill_again_and_again(server, path, count, kills=3, longest=0.5)
        assert 10 < len(killed.kept) < count
        assert killed.returned == 0  # of those that the server knows to be delivered, none is lost
        process = asking(server.url, path, count)
        out, err = process.communicate(timeout=60)
        calls = calls_for(settings_for(server.url), count)
        assert (json.loads(out)["texts"], err) == (expected(calls), "")
        assert all(server.requests[text] == seen for text, seen in killed.kept.items())
        assert all(fates.count(RETURNED) <= 1 for fates in server.fates.values())
        bought_again = sum(server.sent.values()) - count
        assert bought_again == killed.read + killed.unread <= 3 * IN_FLIGHT


def test_ctrl_c_keeps_every_reply_and_shows_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with running(ChatServer(latency=0.2)) as server:
        process = asking(server.url, path, 500)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out.splitlines()[-1:], err) == (130, ["interrupted"], "")
        assert len(rows_of(path)) == len(server.seen.answered) == len(server.seen.requests) > 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["replies.sqlite"]


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with running(ChatServer(latency=0.05)) as server:
        server.faults.marked = {"text 2": "hang", "text 3": "hang"}
        process = asking(server.url, path, 60)
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
