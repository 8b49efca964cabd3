"""Which keys and settings a provider of litellm gets, and which of them at a given address."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from harness_plugins.llm.keys import Secret, dotenv_setting
from harness_plugins.llm.settings import is_azure, is_local

__all__ = ["from_dotenv", "is_own_address"]

_HOSTS = {
    "openai": ".openai.com",
    "text-completion-openai": ".openai.com",
    "anthropic": ".anthropic.com",
    "gemini": ".googleapis.com",
    "cohere": ".cohere.com",
    "cohere_chat": ".cohere.com",
}
"""Of providers whose address litellm does not tell."""

_AWS = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}
_ON_AWS = ("bedrock", "sagemaker")


def is_own_address(provider: str, base_url: str | None, known: str | None) -> bool:
    """Whether a provider's key may be sent there without being named by the user.

    Args:
        provider: as litellm calls it.
        base_url: ``annotator.base_url``; None: the provider's own address.
        known: the address that litellm has for the provider, or None.

    Returns:
        True for the provider's own hosts and for this machine.
    """
    if base_url is None or is_local(base_url):
        return True
    if provider.startswith("azure"):
        return is_azure(base_url)
    host = urlsplit(base_url).hostname or ""
    if known and host == urlsplit(known).hostname:
        return True
    suffix = _HOSTS.get(provider)
    return suffix is not None and host.endswith(suffix)


def from_dotenv(provider: str) -> Mapping[str, Secret]:
    """Arguments of ``acompletion`` for credentials that stand in ``.env`` alone.

    litellm reads credentials of AWS from the environment, where those of ``.env`` are not.
    They are taken together or not at all: parts of two accounts' make none.
    """
    if not provider.startswith(_ON_AWS) or any(os.environ.get(name) for name in _AWS):
        return {}
    found = {argument: dotenv_setting(name) for name, argument in _AWS.items()}
    return {argument: Secret(value) for argument, value in found.items() if value}
