"""What is paid, how often, and what stops a run, by the count of the server that is asked.

::

    python -m tests.benchmarks.money        one line for each figure
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.testing.answers import completion
from harness.testing.service import ChatServer, running
from harness_plugins.llm.cache import ReplyCache
from harness_plugins.llm.cost.prices import price_of
from tests.asking import ask, calls_for, settings_for
from tests.billing import PRICE, Respond, asking, billing, error, good


def cap(folder: Path) -> str:
    """Every third answer holds no choice and bills 4096 tokens; $0.50 is the most."""

    def respond(number: int, body: dict[str, Any]) -> tuple[int, Any]:
        said = completion(body, "positive")
        if number % 3 == 2:
            said |= {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 4096}}
        return 200, said

    with billing(respond) as bill:
        done = _asked(bill.url, folder, 60, price=PRICE, concurrency=32, budget=0.5)
        with ReplyCache(folder / "r") as cache:
            reported = cache.spent("run-1").cost_usd
    return f"${bill.billed_usd:.3f} billed, ${reported:.3f} reported; {done}"


def together(folder: Path) -> str:
    """Four processes ask the same 300 texts, each in an order of its own."""
    with running(ChatServer(latency=0.02)) as server:
        processes = [asking(server.url, folder / "r", number, 300) for number in range(4)]
        for process in processes:
            process.communicate()
    return f"{len(server.seen.requests)} replies for {len(server.seen.texts)} questions"


def _run(respond: Respond, count: int, **headers: str) -> Callable[[Path], str]:
    def measured(folder: Path) -> str:
        with billing(respond, headers) as bill:
            done = _asked(bill.url, folder, count)
        return f"{bill.requests} requests for {count} texts; {done}"

    return measured


def _asked(url: str, folder: Path, count: int, **changes: Any) -> str:
    budget = changes.pop("budget", None)
    settings = settings_for(url, **changes)
    try:
        outcomes = ask(settings, folder / "r", calls_for(settings, count), budget=budget)
    except HarnessError as stopped:
        return f"stopped: {str(stopped)[:110]}"
    kept = sum(
        one.reply is not None and one.reply.text in ("positive", "negative") for one in outcomes
    )
    wrong = sum(one.reply is not None for one in outcomes) - kept
    return f"{kept} answered, {wrong} kept that are no answer"


def _one(response: tuple[int, Any]) -> Respond:
    return lambda number, body: (
        response if body["messages"][-1]["content"] == "text 20" else good(body)
    )


def _failed(number: int, body: dict[str, Any]) -> tuple[int, Any]:
    said = completion(body, "po")
    said["choices"][0]["finish_reason"] = "error"
    return (200, said) if number % 3 == 2 else good(body)


def _price(folder: Path) -> str:
    price = price_of(settings_for("http://127.0.0.1:8000/v1"))
    return "not known" if price is None else f"${price.cost_of(10**6, 10**6):g} per million tokens"


LIMIT = "Rate limit reached. Need more? https://llm.example.org/settings/billing"
FIGURES: dict[str, Callable[[Path], str]] = {
    "cap of $0.50": cap,
    "four runs at once": together,
    "400, a list": _run(lambda n, b: (400, [error(400, "invalid argument")[1]]), 430),
    "400, key not valid": _run(lambda n, b: error(400, "API key not valid."), 430),
    "max_tokens unsupported": _run(
        lambda n, b: (
            error(400, "Unsupported parameter: 'max_tokens'") if "max_tokens" in b else good(b)
        ),
        60,
    ),
    "429 with a link to billing": _run(
        lambda n, b: error(429, LIMIT, code="rate_limit_exceeded") if n == 5 else good(b),
        60,
        **{"retry-after": "1"},
    ),
    "one text: 403": _run(_one(error(403, "Your input was flagged")), 60),
    "one text: 404": _run(_one(error(404, "Not Found")), 60),
    "one text: 403 in a 200": _run(_one(error(200, "flagged", code=403)), 60),
    "all texts: 403": _run(lambda n, b: error(403, "Forbidden"), 430),
    "finish_reason error": _run(_failed, 60),
    "a server of one's own": _price,
}


def main() -> None:
    """Measure and print."""
    for name, figure in FIGURES.items():
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name:28}{figure(Path(folder))}", flush=True)


if __name__ == "__main__":
    main()
