"""Ended by a signal at any moment: what was recorded is not asked for again, and nobody is left."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from harness.testing.faults import Faults
from harness.testing.service import ChatServer, running
from tests.killing import IN_FLIGHT, begin, end_again_and_again, finish, group_lives, rows, until
from tests.servers.deliveries import DeliveryServer, delivering

TIMES = 2
ENDS = {
    signal.SIGINT: (130, "interrupted"),
    signal.SIGTERM: (143, "terminated"),
    signal.SIGHUP: (129, "hung up"),
}
UNSHOWN = ("--set", "demonstrations.generated=false")
"""The pool is annotated at once, without demonstrations that the model writes."""
GOES_ON = "the same command goes on from what is recorded"


def line(number: signal.Signals) -> str:
    return f"harness: {ENDS[number][1]}; {GOES_ON}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_replies_in_flight_are_taken_in_before_a_signal_ends_the_run(
    number: signal.Signals, tmp_path: Path
) -> None:
    with delivering(DeliveryServer(latency=0.1)) as server:
        for ended in end_again_and_again(server, tmp_path, number, TIMES, 0.6, *UNSHOWN):
            assert (ended.code, ended.out, ended.err) == (ENDS[number][0], "", line(number))
            assert (ended.lost, ended.unkept) == (0, 0)
        assert IN_FLIGHT < rows(tmp_path) < 700


@pytest.mark.slow
def test_a_kill_loses_what_was_in_flight_at_most(tmp_path: Path) -> None:
    few = (*UNSHOWN, "--limit", "250")
    with delivering(DeliveryServer(latency=0.1)) as server:
        kills = end_again_and_again(server, tmp_path / "a", signal.SIGKILL, TIMES, 0.6, *few)
        lost = [ended.lost for ended in kills]
        assert max(lost) <= IN_FLIGHT
        result = finish(server.url, tmp_path / "a", *few)
        assert server.requests == rows(tmp_path / "a") + sum(lost)
        assert result == finish(server.url, tmp_path / "b", *few)


def test_ctrl_c_while_demonstrations_are_written(tmp_path: Path) -> None:
    with delivering(DeliveryServer(latency=0.3)) as server:
        (ended,) = end_again_and_again(server, tmp_path, signal.SIGINT, 1, 0.2)
        assert (ended.code, ended.out, ended.err) == (130, "", line(signal.SIGINT))
        assert (ended.lost, ended.unkept) == (0, 0) and 0 < server.sent < 100


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with running(ChatServer(latency=0.05, faults=Faults(0.3, ("hang",)))) as server:
        process = begin(server.url, tmp_path, *UNSHOWN)
        until(lambda: len(server.seen.answered) > 20)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)  # as ``timeout`` does: the same request
        time.sleep(0.5)
        assert process.poll() is None
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 3
    assert (process.returncode, out, err) == (143, "", line(signal.SIGTERM))
    assert rows(tmp_path) == len(server.seen.answered) and not group_lives(process.pid)


def test_waiting_for_a_limit_does_not_delay_the_end(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        slow = ("--set", "annotator.requests_per_minute=6")
        process = begin(server.url, tmp_path, *UNSHOWN, *slow)
        until(lambda: len(server.seen.requests) > 0)
        time.sleep(0.3)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 3
    assert (process.returncode, out, err) == (143, "", line(signal.SIGTERM))


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As ``nohup`` asks for; and replies go on coming in."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with delivering(DeliveryServer(latency=0.1)) as server:
            process = begin(server.url, tmp_path, *UNSHOWN)
            until(lambda: server.requests > 0)
            process.send_signal(signal.SIGHUP)
            until(lambda: server.requests > 2 * IN_FLIGHT)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 143
            process.communicate()
    finally:
        signal.signal(signal.SIGHUP, before)
