"""OpenAI's chat completions, and every server that speaks them: which transport, which keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.errors import CommandError
from harness_plugins.llm.keys import Redactor, Secret, environment_secrets, keys_of
from harness_plugins.llm.secrets import check_key_sources, not_set, variables_of
from harness_plugins.llm.send.refusals import Server
from harness_plugins.llm.settings import OPENAI_URL, LlmSettings, is_azure, is_local

if TYPE_CHECKING:
    from harness_plugins.llm.sender import Backend

__all__ = ["openai_backend", "openai_keys", "server_of"]


def openai_backend(settings: LlmSettings) -> Backend:
    """A backend for an OpenAI-compatible server, or the vendor.

    ``auto`` takes the thin transport: the client's connection pool looks at every connection
    for every request: 8 ms of CPU a request with 100 in flight where the thin
    transport takes 0.2 (``python -m tests.benchmarks.annotate``). Azure is asked through the
    client, which knows its addresses, headers and versions.

    Raises:
        CommandError: if there is neither a key nor a server of one's own.
    """
    keys = openai_keys(settings)
    server = server_of(settings, keys)
    url = settings.base_url or OPENAI_URL
    if _thin(settings):
        from harness_plugins.llm.backends.http_transport import ThinBackend

        return ThinBackend(url, keys, server)
    from harness_plugins.llm.backends.client import ClientBackend

    return ClientBackend(url, keys, server, settings.pace.timeout)


def openai_keys(settings: LlmSettings) -> list[Secret]:
    """The keys for a server; none for one of the user's that needs none.

    The vendor's key is sent to the vendor alone: to another server only if the server is on
    this machine, or if ``annotator.key_env`` names the variable.

    Raises:
        CommandError: if a key is needed and there is none.
    """
    check_key_sources(settings.key_env, settings.key_file)
    keys = keys_of(settings.key_file, _variables(settings))
    if keys:
        return keys
    if settings.key_env:
        raise CommandError(f"annotator.key_env: {not_set(settings.key_env)}")
    if settings.base_url is None:
        raise CommandError(
            "no key for OpenAI: set OPENAI_API_KEY (in the environment or in .env), "
            "annotator.key_file, annotator.base_url for a server of your own "
            "(--set annotator.base_url=http://HOST:PORT/v1), or another --annotator"
        )
    if is_azure(settings.base_url):
        raise CommandError("no key for Azure: set AZURE_OPENAI_API_KEY, or annotator.key_file")
    return []


def server_of(settings: LlmSettings, keys: Sequence[Secret]) -> Server:
    """What refusals of the server are told with."""
    return Server(
        where=settings.base_url or "OpenAI",
        model=settings.model,
        keys=len(keys),
        redact=Redactor([*keys, *environment_secrets()]),
    )


def _variables(settings: LlmSettings) -> list[str]:
    if settings.key_env:
        return variables_of(settings.key_env)
    if settings.base_url and is_azure(settings.base_url):
        return ["AZURE_OPENAI_API_KEY"]
    url = settings.base_url or OPENAI_URL
    vendor = (urlsplit(url).hostname or "").endswith(".openai.com")
    return ["OPENAI_API_KEY"] if vendor or is_local(url) else []


def _thin(settings: LlmSettings) -> bool:
    if settings.transport != "auto":
        return settings.transport == "thin"
    return settings.base_url is None or not is_azure(settings.base_url)
