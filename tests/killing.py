"""Ends runs by signals, at random moments, while replies are on their way."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import PROGRAM
from tests.servers.deliveries import DeliveryServer

__all__ = [
    "IN_FLIGHT",
    "Ended",
    "begin",
    "end_again_and_again",
    "finish",
    "group_lives",
    "numbers",
    "rows",
    "until",
]

IN_FLIGHT = 20


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that a signal ended.

    Attributes:
        code, out, err: its exit code, and what it printed.
        seconds: from the signal to its end.
        lost: requests so far whose replies are not in the file, beyond those lost before.
        unkept: replies so far that the server has sent and that are not in the file.
    """

    code: int
    out: str
    err: str
    seconds: float
    lost: int
    unkept: int


def begin(url: str, out: Path, *options: str) -> subprocess.Popen[str]:
    """``harness run`` with a model's annotations, in a process group of its own."""
    return subprocess.Popen(
        [
            *(str(PROGRAM), "run", "--annotator", "gpt35", "--student", "tfidf", "--json"),
            *("--rounds", "1", "--out", str(out), "--set", f"annotator.base_url={url}"),
            *("--set", f"annotator.concurrency={IN_FLIGHT}", *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def end_again_and_again(
    server: DeliveryServer, out: Path, number: int, times: int, longest: float, *options: str
) -> Iterator[Ended]:
    """Begin the same run so often, and send it a signal while it asks.

    Args:
        number: of the signal.
        longest: seconds from a process's first request to the signal, at most.
        options: for ``begin``.
    """
    draw = random.Random(number)
    lost = 0
    for _ in range(times):
        seen = server.requests
        process = begin(server.url, out, *options)
        until(lambda seen=seen: server.requests > seen)  # type: ignore[misc]
        time.sleep(draw.uniform(0.0, longest))
        process.send_signal(number)
        start = time.monotonic()
        said = process.communicate(timeout=60)
        seconds = time.monotonic() - start
        until(lambda process=process: not group_lives(process.pid))  # type: ignore[misc]
        kept = rows(out)
        yield Ended(
            process.returncode, *said, seconds, server.requests - kept - lost, server.sent - kept
        )
        lost = server.requests - kept


def finish(url: str, out: Path, *options: str) -> dict[str, Any]:
    """Begin a run and let it end; what it measured, without the time it took."""
    out_text, err = begin(url, out, *options).communicate(timeout=120)
    assert out_text, err
    return numbers(json.loads(out_text))


def numbers(result: dict[str, Any]) -> dict[str, Any]:
    """A result without times, addresses and paths."""
    stages = [{**stage, "seconds": 0} for stage in result["stages"]]
    return {"stages": stages, "cost_usd": result["cost_usd"]}


def rows(out: Path) -> int:
    """Number of replies in the file."""
    with closing(sqlite3.connect(out / "replies.sqlite")) as connection:
        return int(connection.execute("SELECT count(*) FROM replies").fetchone()[0])


def group_lives(group: int) -> bool:
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)
