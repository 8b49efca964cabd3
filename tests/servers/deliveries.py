"""A chat-completions server that knows what became of each reply, as far as a server can.

A reply that is written to a socket may lie in the kernel's buffers when the client dies; no
client can keep it then. What the server learns afterwards, for each reply:

* ``RETURNED``: the client asked again over the same connection;
* ``CLOSED``: the connection was closed in order (FIN). The kernel does so, also on behalf of a
  process that was killed, only where everything had been read;
* ``UNREAD``: the connection was reset (RST), which the kernel sends where bytes that had
  arrived were never read (RFC 1122, section 4.2.2.13).

*Successfully answered* are those that a client came back after, and those after which a client
that was not killed closed in order: it had the reply and could tell so. After a kill, ``CLOSED``
says that the reply was read, not that there was time to keep it.

In tests: ``with delivering(DeliveryServer(latency=0.1)) as server``.
"""

from __future__ import annotations

import asyncio
import json
import select
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from harness.testing.answers import answer, completion, last_text

__all__ = ["CLOSED", "RETURNED", "UNREAD", "DeliveryServer", "delivering"]

RETURNED, CLOSED, UNREAD = "returned", "closed", "unread"


class DeliveryServer:
    """Answers every request after the latency.

    Args:
        latency: seconds.

    Attributes:
        requests: number of requests of each text (the last message).
        sent: number of replies of each text that were written to a socket.
        fates: what became of them, once it is known.
        connections: open now.
    """

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.requests: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.fates: dict[str, list[str]] = defaultdict(list)
        self.connections = 0
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
        self._last: str | None = None  # the text of the last reply whose fate is not known
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections += 1

    def data_received(self, data: bytes) -> None:
        self._tell(RETURNED)
        self._buffer += data
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if not length or len(body) < length:
            return
        self._buffer = b""
        request = json.loads(body)
        text = last_text(request)
        self._server.requests[text] += 1
        reply = json.dumps(completion(request, answer(request))).encode()
        loop = asyncio.get_running_loop()
        loop.call_later(self._server.latency, self._send, text, reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell(CLOSED if exc is None else UNREAD)
        self._server.connections -= 1

    def _send(self, text: str, reply: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or _hung_up(transport):
            return
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(reply)}\r\n"
        transport.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + reply)
        self._server.sent[text] += 1
        self._last = text

    def _tell(self, fate: str) -> None:
        if self._last is not None:
            self._server.fates[self._last].append(fate)
            self._last = None


def _hung_up(transport: asyncio.Transport) -> bool:
    """Whether the client is gone, which the event loop may not have noticed yet.

    A reply to it would be taken for read: the kernel tells of the end that came before it.
    """
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
