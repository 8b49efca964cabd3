"""An HTTP server that speaks chat completions and fails on request.

As a program it prints its address and serves until it is stopped::

    python -m tests.servers.chat --port 0 --latency 0.3 --faults 0.2 --kinds 429,500,reset

``GET /stats`` tells what it saw, ``POST /reset`` forgets it. In tests: ``running(ChatServer())``.
Further endpoints: ``ChatServer(routes=[web.post(path, handler), ...])``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from aiohttp import web

from tests.servers.answers import LABELS, answer, completion, last_text
from tests.servers.faults import PASSING, Faults

TRICKLE_SECONDS = 0.05


@dataclass
class Seen:
    """What the server saw.

    Attributes:
        requests: times (monotonic) at which requests came in.
        texts: number of requests of each text (the last message).
        answered: number of whole, good answers that were sent for each text.
        answered_at: when the last of them had gone out.
        keys: number of requests with each key.
        faults: number of faults of each kind.
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


class ChatServer:
    """The server; listens on a port of 127.0.0.1 once it is started.

    Args:
        latency: seconds until an answer.
        faults: which requests fail.
        labels: what it answers.
        rejected_keys: from which request on (from 1, by key) a key is rejected with 401.
        per_minute: requests in any second, times 60, above which it answers 429.
        known_models: others are answered with 404; None: all are known.
        routes: further endpoints.
        keep_bodies: keep the bodies of requests in ``seen``.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        faults: Faults | None = None,
        labels: tuple[str, ...] = LABELS,
        rejected_keys: dict[str, int] | None = None,
        per_minute: int | None = None,
        known_models: Sequence[str] | None = None,
        routes: Sequence[web.RouteDef] = (),
        keep_bodies: bool = False,
    ) -> None:
        self.latency, self.faults, self.labels = latency, faults or Faults(), labels
        self.rejected_keys, self.known_models = rejected_keys or {}, known_models
        self.per_minute, self.keep_bodies = per_minute, keep_bodies
        self.seen = Seen()
        self._open = 0
        self._routes = routes
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """What ``annotator.base_url`` is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self, port: int = 0) -> None:
        """Listen."""
        app = web.Application(client_max_size=300 * 1024 * 1024)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._chat),
                web.get("/stats", self._stats),
                web.post("/reset", self._reset),
                *self._routes,
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

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self._open += 1
        self.seen.concurrent = max(self.seen.concurrent, self._open)
        try:
            return await self._respond(request)
        finally:
            self._open -= 1

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = last_text(body)
        attempt = self.seen.texts[text]
        self.seen.texts[text] += 1
        self.seen.requests.append(time.monotonic())
        if self.keep_bodies:
            self.seen.bodies.append(body)
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.keys[key] += 1
        if refusal := self._refusal(body, key):
            return refusal
        kind = self.faults.of(text, attempt)
        if kind:
            self.seen.faults[kind] += 1
        if kind == "hang":
            await asyncio.sleep(3600)
        await asyncio.sleep(self.latency)
        if kind:
            return await self._fault(kind, request, body)
        return await self._good(request, body, answer(body, self.labels))

    async def _good(
        self, request: web.Request, body: dict[str, Any], content: str, *, usage: bool = True
    ) -> web.StreamResponse:
        """Answer; it counts once every byte has been handed to a connection that still stands."""
        response = web.json_response(completion(body, content, usage=usage))
        await response.prepare(request)
        await response.write_eof()
        if request.transport is not None and not request.transport.is_closing():
            text = last_text(body)
            self.seen.answered[text] += 1
            self.seen.answered_at[text] = time.monotonic()
        return response

    def _refusal(self, body: dict[str, Any], key: str) -> web.Response | None:
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

    async def _fault(
        self, kind: str, request: web.Request, body: dict[str, Any]
    ) -> web.StreamResponse:
        if kind in _ERRORS:
            status, said, code = _ERRORS[kind]
            key = request.headers.get("Authorization", "").removeprefix("Bearer ")
            response = _error(status, said.format(key=key), code)
            if kind == "429-retry-after":
                response.headers["Retry-After"] = "0.2"
            if kind == "429-date":
                response.headers["Retry-After"] = formatdate(time.time() + 1, usegmt=True)
            return response
        if kind == "html":
            return web.Response(text="<html>It works!</html>", content_type="text/html")
        if kind in ("reset", "trickle", "truncated"):
            return await self._broken(kind, request, body)
        return await self._odd(kind, request, body)

    async def _broken(
        self, kind: str, request: web.Request, body: dict[str, Any]
    ) -> web.StreamResponse:
        whole = json.dumps(completion(body, answer(body, self.labels))).encode()
        transport = request.transport
        if kind == "reset":
            if transport is not None:
                transport.abort()
            return web.Response()
        if kind == "truncated":
            return web.Response(body=whole[: len(whole) // 2], content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(whole)
        await response.prepare(request)
        for byte in whole:
            await response.write(bytes([byte]))
            await asyncio.sleep(TRICKLE_SECONDS)
        return response

    async def _odd(
        self, kind: str, request: web.Request, body: dict[str, Any]
    ) -> web.StreamResponse:
        if kind == "no-usage":
            return await self._good(request, body, answer(body, self.labels), usage=False)
        if kind == "wrong-label":
            return await self._good(request, body, "purple")
        if kind == "empty":
            return await self._good(request, body, "")
        whole = completion(body, answer(body, self.labels))
        if kind == "empty-choices":
            return web.json_response({**whole, "choices": []})
        choice = whole["choices"][0]
        if kind == "refusal":
            choice["message"] = {"role": "assistant", "content": None, "refusal": "I cannot."}
        elif kind == "content-filter":
            choice["message"]["content"] = ""
            choice["finish_reason"] = "content_filter"
        elif kind == "length":
            choice["message"]["content"] = choice["message"]["content"][:3]
            choice["finish_reason"] = "length"
        self.seen.answered[last_text(body)] += 1
        return web.json_response(whole)

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


_ERRORS = {
    "429": (429, "Rate limit reached for requests", "rate_limit_exceeded"),
    "429-retry-after": (429, "Rate limit reached for requests", "rate_limit_exceeded"),
    "429-date": (429, "Rate limit reached for requests", "rate_limit_exceeded"),
    "500": (500, "The server had an error", "server_error"),
    "503": (503, "Overloaded", "overloaded"),
    "401": (401, "Incorrect API key provided: {key}. You can find yours", "invalid_api_key"),
    "quota": (429, "You exceeded your current quota, {key}", "insufficient_quota"),
    "no-model": (404, "The model does not exist ({key})", "model_not_found"),
    "404": (404, "Not Found", ""),
    "400": (400, "Invalid request with {key}", "invalid_request_error"),
    "context": (400, "This model's maximum context length is 9", "context_length_exceeded"),
    "filtered": (400, "The response was filtered", "content_filter"),
    "unsupported": (400, "Unsupported value: 'temperature'", "unsupported_value"),
}


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0, help="fraction of requests")
    parser.add_argument("--kinds", default=",".join(PASSING), help="comma between them")
    parser.add_argument("--labels", default=",".join(LABELS), help="comma between them")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    server = ChatServer(
        latency=options.latency,
        faults=Faults(options.faults, options.kinds.split(","), options.seed),
        labels=tuple(options.labels.split(",")),
    )
    asyncio.run(_serve(server, options.port))


async def _serve(server: ChatServer, port: int) -> None:
    await server.start(port)
    print(server.url, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    main()
