"""What the LLM engine must hold: faults, the share of the ideal rate, a cache, kills.

::

    python -m tests.benchmarks.engine_tasks [faults|ideal|cached|commits|kills]...

All of them without arguments.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.testing.faults import Faults
from harness.testing.service import ChatServer, running
from harness_plugins.llm.cache import ReplyCache
from harness_plugins.llm.calls import Call, Message, Reply
from tests.asking import ask, calls_for, expected, settings_for, texts_of
from tests.benchmarks.annotate import MODEL, chats
from tests.killing import end_again_and_again, finish, rows
from tests.servers.deliveries import DeliveryServer, delivering


def faults(folder: Path) -> None:
    """2,000 texts, 300 ms latency, 20 % faults: all labelled, each success once."""
    with running(ChatServer(latency=0.3, faults=Faults(0.2))) as server:
        settings = settings_for(server.url, concurrency=64, timeout=5.0)
        calls = calls_for(settings, 2000)
        start = time.perf_counter()
        outcomes = ask(settings, folder / "faults.sqlite", calls)
        seconds = time.perf_counter() - start
        right = sum(a == b for a, b in zip(texts_of(outcomes), expected(calls), strict=True))
        seen = server.seen
        twice = sum(times > 1 for times in seen.answered.values())
        print(
            f"faults: {right} of 2000 right in {seconds:.1f} s; {len(seen.requests)} requests, "
            f"{sum(seen.faults.values())} faults {dict(seen.faults)}; answered "
            f"{len(seen.answered)}, twice {twice}"
        )


def ideal(folder: Path) -> None:
    """Concurrency 64, 300 ms, no faults: share of concurrency / latency."""
    with fast_server(0.3) as url:
        for repeat in range(3):
            settings = settings_for(url, concurrency=64)
            calls = calls_for(settings, 3200)
            start = time.perf_counter()
            ask(settings, folder / f"ideal-{repeat}.sqlite", calls)
            rate = 3200 / (time.perf_counter() - start)
            print(f"ideal: {rate:.1f}/s, {100 * rate * 0.3 / 64:.1f} % of {64 / 0.3:.1f}/s")


def cached(folder: Path) -> None:
    """100,000 replies from the cache, ten demonstrations in each call."""
    url, count = "http://127.0.0.1:9/v1", 100_000
    prompts = chats(count, 10)
    parameters = settings_for(url).parameters()
    path = folder / "cached.sqlite"
    start = time.perf_counter()
    with ReplyCache(path) as cache:
        for call in _calls(url, prompts, parameters):
            reply = Reply("positive", prompt_tokens=300, completion_tokens=1, cost_usd=1e-4)
            cache.put(call.key, call, reply, "run-1")
        cache.commit()
    written = time.perf_counter() - start
    start, cpu = time.perf_counter(), time.process_time()
    calls = _calls(url, prompts, parameters)
    built = time.perf_counter() - start
    outcomes = ask(settings_for(url), path, calls)
    seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu
    assert all(outcome.reply for outcome in outcomes)
    print(
        f"cached: {count} replies written in {written:.1f} s, calls built (in {built:.1f} s) and "
        f"replies read in {seconds:.2f} s ({cpu:.2f} s of CPU); "
        f"file {path.stat().st_size / 2**20:.0f} MiB"
    )


def commits(folder: Path) -> None:
    """What it costs to commit each reply, beside so many at once."""
    calls = calls_for(settings_for("http://127.0.0.1:9/v1"), 20_000)
    keys = [call.key for call in calls]
    reply = Reply("positive", prompt_tokens=300, completion_tokens=1)
    for size in (1, 4, 16, 64):
        longest, start = 0.0, time.perf_counter()
        with ReplyCache(folder / f"commits-{size}.sqlite") as cache:
            for number, (key, call) in enumerate(zip(keys, calls, strict=True), start=1):
                cache.put(key, call, reply, "run-1")
                if number % size == 0:
                    began = time.perf_counter()
                    cache.commit()
                    longest = max(longest, time.perf_counter() - began)
        each = 1e6 * (time.perf_counter() - start) / len(calls)
        print(
            f"commits: of {size:2} replies: {each:.1f} us a reply, longest {1e3 * longest:.1f} ms"
        )


def kills(folder: Path) -> None:
    """Twenty moments each at which SIGTERM, SIGHUP and SIGKILL end a run, 20 in flight."""
    options = ("--set", "demonstrations.generated=false", "--set", "annotator.samples=3")
    with delivering(DeliveryServer(latency=0.1)) as server:
        undisturbed = finish(server.url, folder / "undisturbed", *options)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        out = folder / number.name
        with delivering(DeliveryServer(latency=0.1)) as server:
            ended = list(end_again_and_again(server, out, number, 20, 0.8, *options))
            kept = rows(out)
            equal = finish(server.url, out, *options) == undisturbed
        said = Counter((one.code, one.err.strip()) for one in ended)
        print(
            f"kills: {number.name}: {len(ended)} runs ended {dict(said)}, after "
            f"{max(one.seconds for one in ended):.2f} s at most; {kept} replies kept; sent and "
            f"not kept {ended[-1].unkept}; requests lost by each: "
            f"{[one.lost for one in ended]}; the result is that of an undisturbed run: {equal}",
            flush=True,
        )


def _calls(url: str, prompts: list[list[dict[str, str]]], parameters: str) -> list[Call]:
    """As the annotator builds them: what calls show in common is one message."""
    shown = tuple(_message(turn) for turn in prompts[0][:-1])
    return [Call(url, MODEL, (*shown, _message(chat[-1])), parameters) for chat in prompts]


def _message(turn: dict[str, str]) -> Message:
    return Message(turn["role"], turn["content"])  # type: ignore[arg-type]


@contextmanager
def fast_server(latency: float) -> Iterator[str]:
    """The server that is never the bottleneck, in a process of its own."""
    command = [sys.executable, "-m", "tests.servers.fast", "--latency", str(latency)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Run those that are named, or all."""
    measurements = {"faults": faults, "ideal": ideal, "cached": cached}
    measurements |= {"commits": commits, "kills": kills}
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or measurements:
            measurements[name](Path(folder))


if __name__ == "__main__":
    main()
