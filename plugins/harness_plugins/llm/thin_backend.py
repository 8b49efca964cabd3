"""Chat completions over aiohttp alone: raw bytes, one pool of kept connections, no models.

Several times faster than the official client, which builds a request, a response and a
model object for each answer. For servers that need nothing but the protocol.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.chat_protocol import reply_of, request_of
from harness_plugins.llm.failures import ClosedError, SendingError, TransientError
from harness_plugins.llm.keys import setting
from harness_plugins.llm.refusals import Server, failure_of

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

    from harness_plugins.llm.keys import Secret

__all__ = ["ThinBackend"]

CONNECT_SECONDS = 15.0
"""A connection that takes longer is given up: the server cannot be reached."""
KEEPALIVE_SECONDS = 30.0
ACCOUNT = (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID"))
"""Headers for the vendor alone, and the variables that set them, as in its own client."""


class ThinBackend:
    """A ``Backend`` for OpenAI-compatible servers.

    Args:
        base_url: up to ``/v1``.
        keys: one a lane; none: requests go without a key, in one lane.
        server: what refusals are told with.
        connections: kept open at most.
    """

    def __init__(
        self, base_url: str, keys: Sequence[Secret], server: Server, connections: int
    ) -> None:
        self._url = f"{base_url}/chat/completions"
        self._keys, self._server, self._connections = tuple(keys), server, connections
        self._session: ClientSession | None = None
        self._headers: list[Mapping[str, str]] = []

    @property
    def lanes(self) -> int:
        """Number of keys, at least one."""
        return max(1, len(self._keys))

    async def send(self, call: Call, lane: int) -> Reply:
        """One request; see ``Backend``."""
        from aiohttp import ClientConnectorError, ClientError, InvalidURL

        session = self._session or self._open()
        body = orjson.dumps(request_of(call))
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

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> ClientSession:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        plain = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._server.where == "OpenAI":
            plain |= {header: value for header, name in ACCOUNT if (value := setting(name))}
        self._headers = [
            {**plain, "Authorization": f"Bearer {key.reveal()}"} for key in self._keys
        ] or [plain]
        proxied = any(name.lower() in ("http_proxy", "https_proxy") for name in os.environ)
        self._session = ClientSession(
            connector=TCPConnector(
                limit=self._connections, keepalive_timeout=KEEPALIVE_SECONDS, ttl_dns_cache=300
            ),
            timeout=ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=DummyCookieJar(),
            trust_env=proxied,  # looked up for each request, so only where there is one
        )
        return self._session

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
