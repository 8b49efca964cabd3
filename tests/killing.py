"""Kills processes that ask, at random moments, and says what became of every reply."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.asking import calls_for, settings_for
from tests.servers.deliveries import CLOSED, RETURNED, UNREAD, DeliveryServer

__all__ = ["IN_FLIGHT", "Killed", "asking", "kill_again_and_again", "rows_of"]

IN_FLIGHT = 16
ASK = f"""
import sys
from pathlib import Path
from tests.asking import calls_for, engine_for, settings_for, texts_of
settings = settings_for(sys.argv[1], concurrency={IN_FLIGHT})
try:
    with engine_for(settings, Path(sys.argv[2]), notes=[]) as engine:
        print("asking", flush=True)
        print(texts_of(engine.ask(calls_for(settings, int(sys.argv[3])))), flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


@dataclass(slots=True)
class Killed:
    """What several kills left.

    Attributes:
        kept: texts whose replies are in the file, with the requests that the server had seen
            of each when it was first found there.
        returned: replies after which the client had come back, and which are not in the file.
        read: replies that a killed client had read and not kept.
        unread: replies that lay in the kernel's buffers when the client died.
    """

    kept: dict[str, int]
    returned: int = 0
    read: int = 0
    unread: int = 0


def asking(url: str, replies: Path, count: int) -> subprocess.Popen[str]:
    """A process that asks; returned when it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", ASK, url, str(replies), str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asking\n"
    return process


def kill_again_and_again(
    server: DeliveryServer, replies: Path, count: int, kills: int, longest: float
) -> Killed:
    """Ask for ``count`` texts in ``kills`` processes, each killed by SIGKILL.

    Args:
        longest: seconds from a process's first request to its end at most.
    """
    rng = random.Random(7)
    texts = {
        call.key: call.messages[-1].content for call in calls_for(settings_for(server.url), count)
    }
    found = Killed({})
    for _ in range(kills):
        before = {text: len(fates) for text, fates in server.fates.items()}
        seen = server.requests.total()
        process = asking(server.url, replies, count)
        _until(partial(_asked_more, server, seen))
        time.sleep(rng.uniform(0.0, longest))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _until(lambda: server.connections == 0)  # now every reply's fate is known
        rows = {texts[key] for key in rows_of(replies)}
        _note_lost(found, server, rows, before)
        for text in rows - found.kept.keys():
            found.kept[text] = server.requests[text]
    return found


def rows_of(replies: Path) -> set[str]:
    """Keys in the file."""
    with closing(sqlite3.connect(replies)) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM replies")}


def _note_lost(
    found: Killed, server: DeliveryServer, rows: set[str], before: dict[str, int]
) -> None:
    """Count this kill's replies that are not in the file, by their fates."""
    lost: Counter[str] = Counter()
    for text, fates in server.fates.items():
        if text not in rows:
            lost.update(fates[before.get(text, 0) :])
    found.returned += lost[RETURNED]
    found.read += lost[CLOSED]
    found.unread += lost[UNREAD]


def _asked_more(server: DeliveryServer, seen: int) -> bool:
    return server.requests.total() > seen


def _until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)
