"""Kills processes that ask, at random moments, and says what became of every reply."""

from __future__ import annotations

import json
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
from typing import Any

from tests.asking import calls_for, settings_for
from tests.servers.deliveries import CLOSED, RETURNED, UNREAD, DeliveryServer

__all__ = ["IN_FLIGHT", "Killed", "asking", "kill_again_and_again", "kill_and_go_on", "rows_of"]

IN_FLIGHT = 16
ASK = f"""
import json, sys
from pathlib import Path
from tests.asking import calls_for, engine_for, settings_for, texts_of
url, path, count, changes, record = sys.argv[1:]
class Notes(list):
    def append(self, line):
        super().append(line)
        print("note:", line, flush=True)
notes = Notes()
given = {{"concurrency": {IN_FLIGHT}, **json.loads(changes)}}
settings = settings_for(url, **given)
try:
    with engine_for(settings, Path(path), notes=notes, record=record) as engine:
        print("asking", flush=True)
        outcomes = engine.ask(calls_for(settings, int(count)))
        paid = sum(outcome.reply.cost_usd for outcome in outcomes if outcome.paid)
        print(json.dumps({{"texts": texts_of(outcomes), "paid": paid, "notes": notes}}))
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


def asking(
    url: str, replies: Path, count: int, *, record: str = "", begun: bool = True, **changes: Any
) -> subprocess.Popen[str]:
    """A process that asks for ``count`` texts and then prints answers, costs and notes.

    Args:
        record: of the run, which counts what is bought.
        begun: return when it has opened its engine.
        changes: of its settings, as for ``settings_for``.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", ASK, url, str(replies), str(count), json.dumps(changes), record],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while begun and (line := process.stdout.readline()) != "asking\n":
        assert line.startswith("note: "), line
    return process


def kill_and_go_on(
    server: DeliveryServer, replies: Path, count: int, kills: int, longest: float, **options: Any
) -> dict[str, Any]:
    """Ask for ``count`` texts; ``kills`` processes are killed by SIGKILL, the last one ends.

    Nobody waits between a kill and the next process.

    Args:
        longest: seconds from the opening of an engine to the kill at most; from a process's
            start, every third time.
        options: for ``asking``.

    Returns:
        What the last process printed.
    """
    rng = random.Random(7)
    for number in range(kills):
        process = asking(server.url, replies, count, begun=number % 3 != 2, **options)
        time.sleep(rng.uniform(0.0, longest))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = asking(server.url, replies, count, **options)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    printed: dict[str, Any] = json.loads(out)
    return printed


def kill_again_and_again(
    server: DeliveryServer,
    replies: Path,
    count: int,
    kills: int,
    longest: float,
    **options: Any,
) -> Killed:
    """Ask for ``count`` texts in ``kills`` processes, each killed by SIGKILL.

    After each kill the connections' end is waited for: then every reply's fate is known.

    Args:
        longest: seconds from a process's first request to its end at most.
        options: for ``asking``.
    """
    rng = random.Random(7)
    texts = {
        call.key: call.messages[-1].content for call in calls_for(settings_for(server.url), count)
    }
    found = Killed({})
    for _ in range(kills):
        before = {text: len(fates) for text, fates in server.fates.items()}
        seen = server.requests.total()
        process = asking(server.url, replies, count, **options)
        _until(partial(_asked_more, server, seen))
        time.sleep(rng.uniform(0.0, longest))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _until(lambda: server.connections == 0)
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
