"""Chat completions over aiohttp alone: raw bytes, kept connections, no models.

Several times faster than the official client, which builds a request, a response and a
model object for each answer. For servers that need nothing but the protocol.

Every connection is a session of its own and is free again only when its reply has been
returned, and so committed: a server that is asked again over a connection knows that its last
answer there will not be asked for a second time. (A pool frees a connection as soon as the last
byte is read, before the reader has it.)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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

from harness_plugins.llm.backends.chat_protocol import reply_of, request_of
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import ClosedError, SendingError, TransientError
from harness_plugins.llm.keys import setting
from harness_plugins.llm.send.refusals import Server, failure_of

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from harness_plugins.llm.keys import Secret

__all__ = ["ThinBackend"]

CONNECT_SECONDS = 15.0
"""A connection that takes longer is given up: the server cannot be reached."""
KEEPALIVE_SECONDS = 30.0
DNS_SECONDS = 300
ACCOUNT = (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID"))
"""Headers for the vendor alone, and the variables that set them, as in its own client."""


class ThinBackend:
    """A ``Backend`` for OpenAI-compatible servers.

    Args:
        base_url: up to ``/v1``.
        keys: one a lane; none: requests go without a key, in one lane.
        server: what refusals are told with.
    """

    def __init__(self, base_url: str, keys: Sequence[Secret], server: Server) -> None:
        self._url = f"{base_url}/chat/completions"
        self._keys, self._server = tuple(keys), server
        self._free: list[ClientSession] = []
        self._sessions: list[ClientSession] = []
        self._headers: list[Mapping[str, str]] = []

    @property
    def lanes(self) -> int:
        """Number of keys, at least one."""
        return max(1, len(self._keys))

    async def send(self, call: Call, lane: int) -> Reply:
        """One request; see ``Backend``."""
        body = orjson.dumps(request_of(call))
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
        self._headers = self._headers or self._headers_of_lanes()
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

    def _headers_of_lanes(self) -> list[Mapping[str, str]]:
        plain = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._server.where == "OpenAI":
            plain |= {header: value for header, name in ACCOUNT if (value := setting(name))}
        return [{**plain, "Authorization": f"Bearer {key.reveal()}"} for key in self._keys] or [
            plain
        ]

    async def _read(self, response: ClientResponse, call: Call, lane: int) -> Reply:
        raw = await response.read()
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            if response.status == 200:
                raise TransientError("the reply is torn (not JSON)") from None
            body = raw.decode("utf-8", "replace")
        if response.status == 200 and not _is_error(body):
            return reply_of(body, call)
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise self._failure(response.status, body, headers, lane)

    def _failure(
        self, status: int, body: object, headers: Mapping[str, str], lane: int
    ) -> SendingError:
        if status == 200 and isinstance(body, dict):  # some routers report errors this way
            code = body["error"].get("code") if isinstance(body["error"], dict) else None
            status = code if isinstance(code, int) and 400 <= code < 600 else 500
        return failure_of(self._server, status, body, headers, lane)


def _is_error(body: object) -> bool:
    return isinstance(body, dict) and bool(body.get("error")) and not body.get("choices")


def _why(error: BaseException) -> str:
    """An error of a connection, without the addresses and objects in its text."""
    cause = getattr(error, "os_error", None) or error
    said = getattr(cause, "strerror", None)
    return str(said or type(cause).__name__)
