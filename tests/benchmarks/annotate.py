"""How fast the LLM engine is, beside gathers over the official client and bare aiohttp.

::

    python -m tests.benchmarks.annotate [--texts 4000] [--latency 0.05] [--concurrency 100]
                                        [--repeat 3] [--shots 10]
                                        [--only engine aiohttp]

One server process answers all; each contender runs in a process of its own, in turn, over and
over. The engine's figure is the whole of it: keys, cache look-up, limits, requests, parsing by
the annotator's own reader, prices, cache commits. Judge by the ratios within
one run.

The gathers are what a careful user writes: one client, a semaphore, limits of the pool as high
as the semaphore; ``gather`` over the client's default transport, ``gather-aiohttp`` over its
aiohttp transport, where that is installed (``pip install "openai[aiohttp]"``). ``x gather`` is
against the faster of the two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

LABELS = ("negative", "positive")
MODEL = "gpt-3.5-turbo"


def chats(texts: int, shots: int) -> list[list[dict[str, str]]]:
    """Prompts in the shape of the published ones: a system message, shots, the question."""
    question = "Is the sentiment of this review negative or positive?"
    shown: list[dict[str, str]] = []
    for shot in range(shots):
        shown += [
            {"role": "user", "content": f"a review of {shot + 20} words, more or less\n{question}"},
            {"role": "assistant", "content": LABELS[shot % 2]},
        ]
    system = {"role": "system", "content": "You label movie reviews. Answer with the label alone."}
    return [
        [system, *shown, {"role": "user", "content": f"review number {number}\n{question}"}]
        for number in range(texts)
    ]


def run_engine(url: str, options: argparse.Namespace) -> None:
    from harness.protocols import Account
    from harness_plugins.annotators.llm.reading.labels import LabelReader
    from harness_plugins.llm.calls import Call, Message
    from harness_plugins.llm.open_engine import open_engine
    from harness_plugins.llm.services import OPENAI
    from harness_plugins.llm.settings import LlmKeys, LlmSettings, Pace

    settings = LlmSettings(
        OPENAI,
        MODEL,
        url,
        url,
        {"temperature": 0.0},
        pace=Pace(concurrency=options.concurrency),
        keys=LlmKeys(transport=options.transport),
    )
    prompts = chats(options.texts, options.shots)
    parameters = settings.parameters()
    with tempfile.TemporaryDirectory() as folder:
        account = Account("benchmark", Path(folder) / "replies.sqlite", None, lambda line: None)
        with open_engine(settings, account) as engine, measured(options.texts):
            calls = [
                Call(url, MODEL, tuple(Message(**turn) for turn in chat), parameters)  # type: ignore[arg-type]
                for chat in prompts
            ]
            outcomes = engine.ask(calls)
            read = LabelReader(LABELS).read
            found = [outcome.reply and read(outcome.reply.text).label for outcome in outcomes]
    assert found.count(1) == options.texts


def run_gather(url: str, options: argparse.Namespace) -> None:
    import httpx
    import openai

    most = options.concurrency
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
    _gather(openai.DefaultAsyncHttpxClient(limits=limits), url, options)


def run_gather_aiohttp(url: str, options: argparse.Namespace) -> None:
    import openai

    _gather(openai.DefaultAioHttpClient(), url, options)


def _gather(http_client: Any, url: str, options: argparse.Namespace) -> None:
    import openai

    prompts = chats(options.texts, options.shots)

    async def main() -> None:
        client = openai.AsyncOpenAI(
            base_url=url, api_key="none", max_retries=0, http_client=http_client
        )
        gate = asyncio.Semaphore(options.concurrency)

        async def one(chat: Any) -> int | None:
            async with gate:
                response = await client.chat.completions.create(
                    model=MODEL, messages=chat, temperature=0, max_tokens=64
                )
            return label_of(response.choices[0].message.content or "")

        with measured(options.texts):
            found = await asyncio.gather(*(one(chat) for chat in prompts))
        assert found.count(1) == options.texts
        await client.close()

    asyncio.run(main())


def run_aiohttp(url: str, options: argparse.Namespace) -> None:
    import aiohttp

    prompts = chats(options.texts, options.shots)

    async def main() -> None:
        connector = aiohttp.TCPConnector(limit=options.concurrency)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one(chat: Any) -> int | None:
                body = {"model": MODEL, "messages": chat, "temperature": 0, "max_tokens": 64}
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    answer = await response.json()
                return label_of(answer["choices"][0]["message"]["content"])

            with measured(options.texts):
                found = await asyncio.gather(*(one(chat) for chat in prompts))
            assert found.count(1) == options.texts

    asyncio.run(main())


CONTENDERS = {
    "engine": run_engine,
    "gather": run_gather,
    "gather-aiohttp": run_gather_aiohttp,
    "aiohttp": run_aiohttp,
}
if find_spec("httpx_aiohttp") is None:
    del CONTENDERS["gather-aiohttp"]


def label_of(text: str) -> int | None:
    """The label's index, by the published rule: one trailing full stop off, lower case."""
    word = text.strip().removesuffix(".").lower()
    return LABELS.index(word) if word in LABELS else None


@contextmanager
def measured(texts: int) -> Iterator[None]:
    """Print rate, CPU and peak memory of the block as JSON, those of child processes included."""
    before, start = _used(), time.perf_counter()
    yield
    seconds, (cpu, mib) = time.perf_counter() - start, _used()
    figures = {"rate": texts / seconds, "cpu_ms": 1000 * (cpu - before[0]) / texts, "mib": mib}
    print(json.dumps(figures))


def _used() -> tuple[float, float]:
    """Seconds of CPU and peak MiB of this process and its children."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    cpu, kib = own.ru_utime + own.ru_stime, own.ru_maxrss
    for child in psutil.Process().children():
        times = child.cpu_times()
        cpu += times.user + times.system
        status = Path(f"/proc/{child.pid}/status").read_text()
        kib += int(status.partition("VmHWM:")[2].split()[0])
    return cpu, kib / 1024


def compare(options: argparse.Namespace) -> None:
    """Run all contenders in turn and print their medians side by side."""
    command = [sys.executable, "-m", "tests.servers.fast", "--latency", str(options.latency)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in options.only}
        for _ in range(options.repeat):
            for name in runs:
                runs[name].append(_contender(name, url, options))
    finally:
        server.terminate()
        server.wait()
    _show(runs, options)


def _contender(name: str, url: str, options: argparse.Namespace) -> dict[str, float]:
    arguments = [f"--{key}={getattr(options, key)}" for key in ("texts", "concurrency", "shots")]
    command = [sys.executable, "-m", "tests.benchmarks.annotate", "--contender", name]
    done = subprocess.run(
        [*command, "--url", url, *arguments, f"--transport={options.transport}"],
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _show(runs: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    ceiling = options.concurrency / options.latency
    print(
        f"{options.texts} texts, {options.shots} shots, {options.latency * 1000:.0f} ms latency, "
        f"{options.concurrency} in flight (ceiling {ceiling:.0f}/s); median of {options.repeat}"
    )
    print(f"{'':15}{'texts/s':>10}{'of ceiling':>12}{'CPU ms':>9}{'peak MiB':>10}{'x gather':>10}")
    median = {
        name: {key: statistics.median(run[key] for run in figures) for key in figures[0]}
        for name, figures in runs.items()
    }
    gathers = [run["rate"] for name, run in median.items() if name.startswith("gather")]
    gather = max(gathers, default=float("nan"))
    for name, run in median.items():
        ratio = run["rate"] / gather
        share = 100 * run["rate"] / ceiling
        print(
            f"{name:15}{run['rate']:10.0f}{share:11.0f}%{run['cpu_ms']:9.2f}"
            f"{run['mib']:10.0f}{ratio:10.2f}"
        )


def main() -> None:
    """Compare, or be one contender."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--transport", default="auto", choices=["auto", "thin", "client"])
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--contender", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        CONTENDERS[options.contender](options.url, options)
    else:
        compare(options)


if __name__ == "__main__":
    main()
