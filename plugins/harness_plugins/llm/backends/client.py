"""Chat completions through the official ``openai`` client, also for Azure.

The client takes a second to import: only who makes such a backend imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import openai

from harness_plugins.llm.backends.chat_protocol import reply_of, request_of
from harness_plugins.llm.backends.responses import body_of
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import SendingError, TransientError
from harness_plugins.llm.keys import is_azure
from harness_plugins.llm.secrets import setting

if TYPE_CHECKING:
    from harness_plugins.llm.secrets import Secret
    from harness_plugins.llm.send.refusals import Server

NO_KEY = "no-key"
"""What the client is given for servers that need no key."""
AZURE_API_VERSION = "2024-10-21"
"""Used where ``OPENAI_API_VERSION`` is not set."""


class ClientBackend:
    """A ``Backend`` over ``AsyncOpenAI``; it neither retries nor builds models here.

    Args:
        base_url: up to ``/v1``, or the address of an Azure resource.
        keys: one a lane; none: one lane.
        timeout: seconds; the sender's own comes first.
    """

    def __init__(
        self, base_url: str, keys: Sequence[Secret], server: Server, timeout: float
    ) -> None:
        self._base_url, self._keys, self._server = base_url, tuple(keys), server
        self._timeout = timeout + 5.0
        self._clients: list[openai.AsyncOpenAI] = []

    @property
    def lanes(self) -> int:
        """Number of keys, at least one."""
        return max(1, len(self._keys))

    async def send(self, call: Call, lane: int) -> Reply:
        """One request; see ``Backend``."""
        request = request_of(call)
        client = (self._clients or self._open())[lane]
        try:
            answered = await client.chat.completions.with_raw_response.create(**request)
            return reply_of(self._body(answered.http_response, lane), call)
        except SendingError:
            raise
        except openai.APIStatusError as error:
            return reply_of(self._body(error.response, lane), call)  # it raises what is wrong
        except openai.APITimeoutError:
            raise TransientError("no reply in time") from None
        except openai.APIConnectionError as error:
            raise _broken(error) from None
        except openai.APIError as error:  # a stream of bytes that is no response
            raise TransientError(self._server.redact(str(error))[:200]) from None
        except OSError as error:
            raise TransientError(f"connection broken ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close the connections."""
        clients, self._clients = self._clients, []
        for client in clients:
            await client.close()

    def _open(self) -> list[openai.AsyncOpenAI]:
        keys = [key.reveal() for key in self._keys] or [NO_KEY]
        self._clients = [self._client(key) for key in keys]
        return self._clients

    def _client(self, key: str) -> openai.AsyncOpenAI:
        common: dict[str, Any] = {
            "api_key": key,
            "max_retries": 0,
            "timeout": self._timeout,
            # Another address is not the one that the key was given for.
            "http_client": openai.DefaultAsyncHttpxClient(follow_redirects=False),
        }
        if is_azure(self._base_url) and "/openai/v1" not in self._base_url:
            return openai.AsyncAzureOpenAI(
                azure_endpoint=self._base_url,
                api_version=setting("OPENAI_API_VERSION") or AZURE_API_VERSION,
                **common,
            )
        return openai.AsyncOpenAI(base_url=self._base_url, **common)

    def _body(self, response: Any, lane: int) -> Any:
        return body_of(self._server, response.status_code, response.content, response.headers, lane)


def _broken(error: BaseException) -> TransientError:
    cause = type(error.__cause__).__name__ if error.__cause__ else "connection error"
    if cause == "ConnectError":
        return TransientError("no connection", unreachable=True)
    return TransientError(f"connection broken ({cause})")
