"""Killed or interrupted at any moment: what was received is kept, and not asked for again."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.asking import ask, calls_for, expected, settings_for, texts_of
from tests.killing import IN_FLIGHT, asking, kill_again_and_again, rows_of
from tests.servers.chat import ChatServer, running
from tests.servers.deliveries import RETURNED, DeliveryServer, delivering


@pytest.mark.slow
def test_killed_ten_times_and_nothing_answered_is_asked_again(tmp_path: Path) -> None:
    """``tests.servers.deliveries`` says what *successfully answered* means."""
    count, path = 1500, tmp_path / "replies.sqlite"
    with delivering(DeliveryServer(latency=0.1)) as server:
        killed = kill_again_and_again(server, path, count, kills=10, longest=0.9)
        assert 10 < len(killed.kept) < count
        assert killed.returned == 0  # of those that the server knows to be delivered, none is lost
        process = asking(server.url, path, count)
        out, err = process.communicate(timeout=60)
        calls = calls_for(settings_for(server.url), count)
        assert (out, err) == (f"{expected(calls)}\n", "")
        assert all(server.requests[text] == seen for text, seen in killed.kept.items())
        assert all(fates.count(RETURNED) <= 1 for fates in server.fates.values())
        bought_again = sum(server.sent.values()) - count
        assert bought_again == killed.read + killed.unread <= 10 * IN_FLIGHT
    with running(ChatServer()) as other:
        settings = settings_for(other.url)
        undisturbed = ask(settings, tmp_path / "other", calls_for(settings, count))
    assert out == f"{texts_of(undisturbed)}\n"


def test_ctrl_c_keeps_every_reply_and_shows_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with running(ChatServer(latency=0.2)) as server:
        process = asking(server.url, path, 500)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (130, "interrupted\n", "")
        assert len(rows_of(path)) == len(server.seen.answered) == len(server.seen.requests) > 0


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
        assert (process.returncode, out, err) == (130, "interrupted\n", "")
        assert len(rows_of(path)) > 0
