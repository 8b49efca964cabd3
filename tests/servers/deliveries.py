"""A chat-completions server that counts a reply once it is written to a live connection.

In tests: ``with delivering(DeliveryServer(latency=0.1)) as server``.
"""

from __future__ import annotations

import asyncio
import json
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.testing.answers import answer, completion

__all__ = ["DeliveryServer", "delivering"]


class DeliveryServer:
    """Answers every request after the latency.

    Args:
        latency: seconds.

    Attributes:
        requests: how many came.
        sent: how many replies were written to a connection whose client was there.
    """

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.requests = self.sent = 0
        self.url = ""

    async def start(self) -> asyncio.Server:
        """Listen on a port of 127.0.0.1."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        return server


class _Connection(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self, server: DeliveryServer) -> None:
        self._server = server
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if not length or len(body) < length:
            return
        self._buffer = b""
        request = json.loads(body)
        self._server.requests += 1
        reply = json.dumps(completion(request, answer(request))).encode()
        asyncio.get_running_loop().call_later(self._server.latency, self._send, reply)

    def _send(self, reply: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or _hung_up(transport):
            return
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(reply)}\r\n"
        transport.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + reply)
        self._server.sent += 1


def _hung_up(transport: asyncio.Transport) -> bool:
    """Whether the client is gone, which the event loop may not have noticed yet."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


@contextmanager
def delivering(server: DeliveryServer) -> Iterator[DeliveryServer]:
    """The server in a thread of its own, for the duration of a ``with`` block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="delivery server", daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
