"""JSON over aiohttp alone: raw bytes, kept connections, no models.

Several times faster than the official client of chat completions, which builds a request, a
response and a model object for each answer.

Every connection is a session of its own and is free again only when its reply has been
returned, and so committed: a server that is asked again over a connection knows that its last
answer there will not be asked for a second time. (A pool frees a connection as soon as the last
byte is read, before the reader has it.)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    TCPConnector,
)

from harness_plugins.llm.backends.responses import MOST_BYTES, OversizeError, body_of
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import ClosedError, TransientError

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from harness_plugins.llm.send.refusals import Server

CONNECT_SECONDS = 15.0
"""A connection that takes longer is given up: the server cannot be reached."""
KEEPALIVE_SECONDS = 30.0
DNS_SECONDS = 300
PLAIN = {"Content-Type": "application/json", "Accept": "application/json"}
UNREADABLE = (KeyError, IndexError, TypeError, ValueError, AttributeError)


class HttpBackend:
    """A ``Backend`` that posts JSON.

    Args:
        headers: those that carry a key, one set a lane; none: one lane without a key.
        request: the body for a call.
        reply: what a response's body says.
    """

    def __init__(
        self,
        url: str,
        headers: Sequence[Mapping[str, str]],
        server: Server,
        request: Callable[[Call], Mapping[str, Any]],
        reply: Callable[[Any, Call], Reply],
    ) -> None:
        self._url, self._server = url, server
        self._request, self._reply = request, reply
        self._headers = [{**PLAIN, **one} for one in headers] or [PLAIN]
        self._free: list[ClientSession] = []
        self._sessions: list[ClientSession] = []

    @property
    def lanes(self) -> int:
        """Number of keys, at least one."""
        return len(self._headers)

    async def send(self, call: Call, lane: int) -> Reply:
        """One request; see ``Backend``."""
        body = orjson.dumps(self._request(call))
        session = self._free.pop() if self._free else self._open()
        try:
            async with session.post(
                self._url, data=body, headers=self._headers[lane], allow_redirects=False
            ) as response:
                return await self._read(response, call, lane)
        except InvalidURL:
            raise ClosedError(
                f"{self._server.where}: no request can be sent there; check annotator.base_url"
            ) from None
        except ClientConnectorError as error:
            raise TransientError(_why(error), unreachable=True) from None
        except (ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise TransientError(f"connection broken ({_why(error)})") from None
        finally:
            # Nothing is awaited between here and the commit of the reply.
            self._free.append(session)

    async def close(self) -> None:
        """Close the connections."""
        sessions, self._sessions, self._free = self._sessions, [], []
        for session in sessions:
            await session.close()

    def _open(self) -> ClientSession:
        """A session with one connection; as many as there are requests at once."""
        proxied = any(name.lower() in ("http_proxy", "https_proxy") for name in os.environ)
        session = ClientSession(
            connector=TCPConnector(
                limit=1, keepalive_timeout=KEEPALIVE_SECONDS, ttl_dns_cache=DNS_SECONDS
            ),
            timeout=ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=DummyCookieJar(),
            trust_env=proxied,  # looked up for each request, so only where there is one
        )
        self._sessions.append(session)
        return session

    async def _read(self, response: ClientResponse, call: Call, lane: int) -> Reply:
        raw = bytearray()
        async for piece in response.content.iter_any():
            raw += piece
            if len(raw) > MOST_BYTES:
                raise OversizeError
        return self._said(
            body_of(self._server, response.status, bytes(raw), response.headers, lane), call
        )

    def _said(self, body: Any, call: Call) -> Reply:
        try:
            return self._reply(body, call)
        except UNREADABLE as error:
            why = f"{type(error).__name__}: {self._server.redact(str(error))[:100]}"
            raise TransientError(f"the reply is not as expected ({why})") from None


def _why(error: BaseException) -> str:
    """An error of a connection, without the addresses and objects in its text."""
    cause = getattr(error, "os_error", None) or error
    said = getattr(cause, "strerror", None)
    return str(said or type(cause).__name__)
