"""How OpenAI, Azure and servers that speak chat completions are reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_plugins.llm.keys import AZURE_HOSTS, is_azure, keys_for
from harness_plugins.llm.secrets import Redactor, Secret, setting
from harness_plugins.llm.send.refusals import Server

if TYPE_CHECKING:
    from harness_plugins.llm.sender import Backend
    from harness_plugins.llm.settings import LlmSettings

ACCOUNT = (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID"))
"""Headers for the vendor alone, and the variables that set them, as in its own client."""


def openai_keys(settings: LlmSettings) -> list[Secret]:
    """The keys for a server; a ``CommandError`` if it needs one and there is none."""
    if is_azure(settings.base_url):
        return keys_for(settings, "AZURE_OPENAI_API_KEY", AZURE_HOSTS)
    return keys_for(settings, hosts=("openai.com",))


def server_of(settings: LlmSettings, keys: list[Secret]) -> Server:
    """What refusals of the server are told with."""
    where = settings.base_url or "OpenAI"
    return Server(where, settings.model, len(keys), Redactor(keys))


def openai_backend(settings: LlmSettings) -> Backend:
    """The thin transport, or the official client.

    ``auto`` takes the thin one: 0.2 ms of CPU a request with 100 in flight, where the client
    takes 8 (``python -m tests.benchmarks.annotate``). Azure is asked through the client, which
    knows its addresses, headers and versions.
    """
    keys = openai_keys(settings)
    server = server_of(settings, keys)
    unsaid = settings.keys.transport == "auto"
    if settings.keys.transport == "client" or (unsaid and is_azure(settings.base_url)):
        from harness_plugins.llm.backends.client import ClientBackend

        return ClientBackend(settings.endpoint, keys, server, settings.pace.timeout)
    from harness_plugins.llm.backends.chat_protocol import reply_of, request_of
    from harness_plugins.llm.backends.http_transport import HttpBackend

    named = () if settings.base_url else ACCOUNT
    plain = {header: value for header, name in named if (value := setting(name))}
    headers = [{**plain, "Authorization": f"Bearer {key.reveal()}"} for key in keys]
    url = f"{settings.endpoint}/chat/completions"
    return HttpBackend(url, headers, server, request_of, reply_of)
