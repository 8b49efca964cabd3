"""A chat server that keeps its own bill, and answers as a function says."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from harness.testing.answers import answer, completion, last_text
from harness.testing.service import ChatServer, running

PRICE = (2.0, 20.0)
"""$ per million tokens of prompt and reply."""
ASK = """
import sys
from pathlib import Path
from tests.asking import ask, calls_for, settings_for
url, path, run_id, count, first = sys.argv[1:]
settings = settings_for(url, concurrency=8)
calls = calls_for(settings, int(count))
calls = calls[int(first):] + calls[:int(first)]
print(sum(outcome.reply is not None for outcome in ask(settings, Path(path), calls, run_id=run_id)))
"""

Respond = Callable[[int, dict[str, Any]], tuple[int, Any]]
"""From the number of a request (from 0) and its body to status and body of the response."""


@dataclass
class Bill:
    """What the server has seen.

    Attributes:
        url: what ``annotator.base_url`` is set to.
        requests: how many came.
        billed_usd: by the usage of every response.
        texts: requests of each text.
        bodies: the requests.
    """

    url: str = ""
    requests: int = 0
    billed_usd: float = 0.0
    texts: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def billing(respond: Respond, headers: Mapping[str, str] = {}) -> Iterator[Bill]:
    """The server, for the duration of a ``with`` block."""
    bill = Bill()

    async def chat(request: web.Request) -> web.Response:
        body = await request.json()
        number, bill.requests = bill.requests, bill.requests + 1
        bill.texts[last_text(body)] += 1
        bill.bodies.append(body)
        status, said = respond(number, body)
        usage = said.get("usage") if isinstance(said, dict) else None
        if isinstance(usage, dict):
            tokens = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
            bill.billed_usd += sum(
                int(count or 0) * price / 1e6 for count, price in zip(tokens, PRICE, strict=True)
            )
        return web.json_response(said, status=status, headers=headers if status != 200 else {})

    with running(ChatServer(routes=[web.post("/bill/chat/completions", chat)])) as server:
        bill.url = server.url.replace("/v1", "/bill")
        yield bill


def good(body: dict[str, Any]) -> tuple[int, Any]:
    """An ordinary answer."""
    return 200, completion(body, answer(body))


def error(status: int, message: str, **more: Any) -> tuple[int, Any]:
    """An error in the usual shape."""
    return status, {"error": {"message": message, **more}}


def asking(url: str, path: Path, number: int, count: int) -> subprocess.Popen[str]:
    """A process that asks so many texts, in an order of its own."""
    arguments = (url, str(path), f"run-{number}", str(count), str(number * count // 4))
    return subprocess.Popen(
        [sys.executable, "-c", ASK, *arguments], stdout=subprocess.PIPE, text=True
    )
