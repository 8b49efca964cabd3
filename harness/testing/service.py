"""A chat service on this machine that answers, and fails, as real ones do.

As a program it prints its address, and the command that runs against it, and serves until Ctrl-C or
SIGTERM::

    python -m harness.testing.service --dialect groq              a third of the texts meet a case
    python -m harness.testing.service --dialect groq --case NAME  all texts meet this one
    python -m harness.testing.service --faults 0.2 --kinds 429,500,reset --latency 0.3

``GET /stats`` tells what it has seen, ``POST /reset`` forgets it. Every dialect is served below
``/DIALECT/`` and ``/DIALECT/CASE/``. In tests: ``with running(ChatServer()) as server``; further
endpoints: ``ChatServer(routes=[web.post(path, handler), ...])``. It listens on 127.0.0.1 alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from harness.testing.answers import LABELS, answer, completion, last_text
from harness.testing.cases import ORDINARY, Case, dialect, dialect_names
from harness.testing.delivery import arrived, deliver
from harness.testing.faults import PASSING, Faults
from harness.testing.playing import chat_of, played, share_of

SHARE = 0.3
"""Of the texts that meet a case of a dialect, where none is named."""
SOME = share_of(SHARE)


@dataclass
class Seen:
    """What the server saw.

    Attributes:
        requests: times (monotonic) at which requests came in.
        texts: number of requests of each text (the last message).
        answered: number of whole, good answers that were sent for each text.
        answered_at: when the last of them had gone out.
        keys: number of requests with each key.
        faults: number of faults of each kind, and of cases of a dialect.
        bodies: the requests, where they are kept.
        concurrent: most requests open at once.
    """

    requests: list[float] = field(default_factory=list)
    texts: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    answered_at: dict[str, float] = field(default_factory=dict)
    keys: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    concurrent: int = 0


@dataclass(kw_only=True, eq=False)
class ChatServer:
    """The server; listens on a port of 127.0.0.1 once it is started.

    Attributes:
        latency: seconds until an answer.
        labels: what it answers.
        rejected_keys: from which request on (from 1, by key) a key is rejected with 401.
        per_minute: requests in any second, times 60, above which it answers 429.
        known_models: others are answered with 404; None: all are known.
        routes: further endpoints.
        keep_bodies: keep the bodies of requests in ``seen``.
        meets: which texts meet a case of a dialect; a case that stops a run or asks for another
            request is met by all.
    """

    latency: float = 0.0
    faults: Faults = field(default_factory=Faults)
    labels: tuple[str, ...] = LABELS
    rejected_keys: dict[str, int] = field(default_factory=dict)
    per_minute: int | None = None
    known_models: Sequence[str] | None = None
    routes: Sequence[web.RouteDef] = ()
    keep_bodies: bool = False
    meets: Callable[[str], bool] = SOME
    seen: Seen = field(default_factory=Seen, init=False)
    port: int = field(default=0, init=False)
    _open: int = field(default=0, init=False)
    _runner: web.AppRunner | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """What ``annotator.base_url`` is set to."""
        return self.address()

    def address(self, dialect: str = "", case: str = "") -> str:
        """The same for a dialect, or for one case of it."""
        path = "/".join(part for part in (dialect, case, "v1") if part)
        return f"http://127.0.0.1:{self.port}/{path}"

    async def start(self, port: int = 0) -> None:
        """Listen."""
        app = web.Application(client_max_size=300 * 1024 * 1024)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._chat),
                web.get("/stats", self._stats),
                web.post("/reset", self._reset),
                *self.routes,
                web.post(f"/{{dialect:{'|'.join(dialect_names())}}}/{{path:.*}}", self._chat),
            ]
        )
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and drop connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    def refusal(self, body: dict[str, Any], key: str) -> web.Response | None:
        """What the server answers before it looks at faults; for tests to override."""
        if self.seen.keys[key] >= self.rejected_keys.get(key, 1 << 60):
            return _error(401, f"Incorrect API key provided: {key}.", "invalid_api_key")
        if self.known_models is not None and body.get("model") not in self.known_models:
            said = f"The model `{body.get('model')}` does not exist or you do not have access to it"
            return _error(404, said, "model_not_found")
        if self.per_minute is not None:
            now = time.monotonic()
            recent = sum(1 for at in self.seen.requests[-1000:] if now - at < 1.0)
            if recent > max(1.0, self.per_minute / 60):
                return _error(429, "Rate limit reached", "rate_limit_exceeded")
        return None

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self._open += 1
        self.seen.concurrent = max(self.seen.concurrent, self._open)
        try:
            return await self._respond(request)
        finally:
            self._open -= 1

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        body = chat_of(await request.json())
        text, key = last_text(body), _key(request)
        attempt = self.seen.texts[text]
        self.seen.texts[text] += 1
        self.seen.requests.append(time.monotonic())
        self.seen.keys[key] += 1
        if self.keep_bodies:
            self.seen.bodies.append(body)
        if (refusal := self.refusal(body, key)) is not None:
            return refusal
        case = self._case(request, body, attempt)
        if case.name != ORDINARY:
            self.seen.faults[case.name] += 1
        if case.delivery != "hang":
            await asyncio.sleep(self.latency)
        said, model = answer(body, self.labels), str(body.get("model", ""))
        response = await deliver(request, case, said, model, key)
        if case.outcome == "answer" and arrived(request, case):
            self.seen.answered[text] += 1
            self.seen.answered_at[text] = time.monotonic()
        return response

    def _case(self, request: web.Request, body: dict[str, Any], attempt: int) -> Case:
        if "dialect" in request.match_info:
            name, path = request.match_info["dialect"], request.match_info["path"]
            return played(name, path, body, attempt, self.meets)
        fault = self.faults.of(last_text(body), attempt)
        if fault is not None:
            return fault
        whole = completion(body, answer(body, self.labels))
        return Case(name=ORDINARY, source="constructed", outcome="answer", body=json.dumps(whole))

    async def _stats(self, request: web.Request) -> web.Response:
        seen = self.seen
        return web.json_response(
            {
                "requests": len(seen.requests),
                "texts": len(seen.texts),
                "answered": len(seen.answered),
                "answered_twice": sum(count > 1 for count in seen.answered.values()),
                "faults": dict(seen.faults),
                "concurrent": seen.concurrent,
            }
        )

    async def _reset(self, request: web.Request) -> web.Response:
        self.seen = Seen()
        return web.json_response({})


def _key(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def _error(status: int, message: str, code: str) -> web.Response:
    error = {"message": message, "type": "error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status)


@contextmanager
def running(server: ChatServer) -> Iterator[ChatServer]:
    """The server in a thread of its own, for the duration of a ``with`` block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="chat server", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def main() -> None:
    """Serve until stopped."""
    options = _options()
    share = options.share if options.share is not None else 1.0 if options.case else SHARE
    server = ChatServer(
        latency=options.latency,
        faults=Faults(options.faults, options.kinds.split(","), options.seed),
        labels=tuple(options.labels.split(",")),
        meets=share_of(share),
    )
    asyncio.run(_serve(server, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds until an answer")
    parser.add_argument("--dialect", choices=dialect_names(), help="which service it is like")
    parser.add_argument("--case", help="the one response shape of the dialect that is sent")
    parser.add_argument("--share", type=float, help="fraction of texts that meet a case")
    parser.add_argument("--faults", type=float, default=0.0, help="fraction of requests")
    parser.add_argument("--kinds", default=",".join(PASSING), help="comma between them")
    parser.add_argument("--labels", default=",".join(LABELS), help="comma between them")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    options = parser.parse_args()
    if options.case and not options.dialect:
        parser.error("--case: name its --dialect, too")
    known = [case.name for case in dialect(options.dialect).case] if options.case else []
    if options.case not in (None, *known):
        parser.error(f"--case: {options.dialect} has {', '.join(known)}")
    return options


async def _serve(server: ChatServer, options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.start(options.port)
    address = server.address(options.dialect or "", options.case or "")
    print(address, flush=True)  # noqa: T201
    if options.dialect:
        print(dialect(options.dialect).ask.format(address=address), flush=True)  # noqa: T201
    try:
        await ended.wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    main()
