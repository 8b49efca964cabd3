"""Killed or interrupted at any moment: what was received is kept, and not asked for again."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.asking import ask, calls_for, expected, settings_for, texts_of
from tests.servers.chat import ChatServer, running

ASK = """
import sys
from pathlib import Path
from tests.asking import calls_for, engine_for, settings_for, texts_of
settings = settings_for(sys.argv[1], concurrency=16)
try:
    with engine_for(settings, Path(sys.argv[2]), notes=[]) as engine:
        print("asking", flush=True)
        print(texts_of(engine.ask(calls_for(settings, int(sys.argv[3])))), flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""
LATE = 0.5
"""Seconds within which a reply that the server has sent must be committed, on a busy machine."""


def asking(server: ChatServer, replies: Path, count: int) -> subprocess.Popen[str]:
    """A process that asks; returned when it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", ASK, server.url, str(replies), str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asking\n"
    return process


def kept(replies: Path) -> int:
    """Number of replies in the file."""
    with closing(sqlite3.connect(replies)) as connection:
        count: int = connection.execute("SELECT count(*) FROM replies").fetchone()[0]
    return count


@pytest.mark.slow
def test_killed_ten_times_and_nothing_kept_is_asked_again(tmp_path: Path) -> None:
    rng, count, path = random.Random(7), 1500, tmp_path / "replies.sqlite"
    with running(ChatServer(latency=0.1)) as server:
        calls = calls_for(settings_for(server.url), count)
        texts = {call.key: call.messages[-1].content for call in calls}
        committed: dict[str, int] = {}  # text: requests that the server had seen at the kill
        for _ in range(10):
            process = asking(server, path, count)
            started, before = time.monotonic(), len(server.seen.requests)
            while len(server.seen.requests) == before:
                time.sleep(0.002)
            time.sleep(rng.uniform(0.0, 0.9))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed_at = time.monotonic()
            with closing(sqlite3.connect(path)) as connection:
                rows = {texts[key] for (key,) in connection.execute("SELECT key FROM replies")}
            for text in rows - committed.keys():
                committed[text] = server.seen.texts[text]
            moments = server.seen.answered_at.items()
            assert {text for text, at in moments if started < at < killed_at - LATE} <= rows
        assert 10 < len(committed) < count
        process = asking(server, path, count)
        out, err = process.communicate(timeout=60)
        assert (out, err) == (f"{expected(calls)}\n", "")
        assert all(server.seen.texts[text] == seen for text, seen in committed.items())
        twice = sum(times > 1 for times in server.seen.answered.values())
        print(f"{len(committed)} of {count} committed at kills; {twice} sent, lost and sent again")
        assert twice <= 10 * 16  # at most those in flight at the kills
        with running(ChatServer()) as other:
            settings = settings_for(other.url)
            undisturbed = ask(settings, tmp_path / "other", calls_for(settings, count))
        assert out == f"{texts_of(undisturbed)}\n"


def test_ctrl_c_keeps_every_reply_and_shows_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with running(ChatServer(latency=0.2)) as server:
        process = asking(server, path, 500)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (130, "interrupted\n", "")
        assert kept(path) == len(server.seen.answered) == len(server.seen.requests) > 0


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with running(ChatServer(latency=0.05)) as server:
        server.faults.marked = {"text 2": "hang", "text 3": "hang"}
        process = asking(server, path, 60)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 5
        assert (process.returncode, out, err) == (130, "interrupted\n", "")
        assert kept(path) > 0
