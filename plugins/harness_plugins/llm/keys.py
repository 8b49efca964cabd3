"""Finds a service's keys, and decides which addresses may get them."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.errors import CommandError
from harness.files.printable import looks_like_key
from harness_plugins.llm.secrets import Secret, setting

if TYPE_CHECKING:
    from harness_plugins.llm.settings import LlmSettings

AZURE_HOSTS = ("openai.azure.com", "cognitiveservices.azure.com")


def keys_for(
    settings: LlmSettings, variable: str | None = None, hosts: Iterable[str] = ()
) -> list[Secret]:
    """The keys for a service: those that the user names, else the service's own.

    A service's own key goes only to its own hosts and to this machine; another server gets it
    only if ``annotator.key_env`` names the variable.

    Args:
        variable: of the service's key; None: the service's ``key_env``.
        hosts: the service's own; none: the host of its ``endpoint``.

    Raises:
        CommandError: if a key is needed and there is none.
    """
    if (named := named_keys(settings)) is not None:
        return named
    service, url = settings.service, settings.base_url
    name = variable or service.key_env
    own = tuple(hosts) or (urlsplit(service.endpoint).hostname or "",)
    at_home = url is None or is_under(url, own)
    keys = keys_of(None, [name]) if name and (at_home or is_local(url)) else []
    if name and at_home and not keys:
        raise CommandError(
            f"no key for {url or service.name}: set {name} (in the environment or in .env), "
            "annotator.key_file, annotator.base_url for a server of your own "
            "(--set annotator.base_url=http://HOST:PORT/v1), or another --annotator"
        )
    return keys


def named_keys(settings: LlmSettings) -> list[Secret] | None:
    """The keys of ``annotator.key_file`` or ``annotator.key_env``; None if neither is set."""
    key_env, key_file = settings.keys.key_env, settings.keys.key_file
    check_key_sources(key_env, key_file)
    if key_file is None and key_env is None:
        return None
    names = _variables(key_env) if key_env else []
    if keys := keys_of(key_file, names):
        return keys
    shown = all(name.isupper() for name in names)  # else it may be a key
    named = f"variable {' or '.join(names)}" if shown else "the variable that it names"
    raise CommandError(f"annotator.key_env: {named} is not set")


def keys_of(key_file: str | None, names: Sequence[str]) -> list[Secret]:
    """The keys of a file (one per line), else of the first variable that is set (with commas).

    The environment comes before a ``.env`` in the working directory.

    Raises:
        CommandError: if the file cannot be read, or a key cannot be sent in a header.
    """
    if key_file is not None:
        return _checked(_read_lines(Path(key_file)), key_file)
    for name in names:
        if value := setting(name):
            return _checked(value.split(","), name)
    return []


def check_key_sources(key_env: str | None, key_file: str | None) -> None:
    """Refuse a key, which is never shown, in place of the name of its variable or file."""
    if key_env is not None:
        _variables(key_env)
    # Path.exists raises for texts too long for a name, as a key may be.
    if key_file and looks_like_key(key_file) and not os.path.exists(key_file):  # noqa: PTH110
        raise CommandError(
            "annotator.key_file: this is no file and looks like a key; write the key into a file "
            "and name that"
        )


def is_local(url: str | None) -> bool:
    """Whether an address is on this machine."""
    return url is not None and urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def is_private(url: str | None) -> bool:
    """Whether an address is on this machine or in a private network, which sends no bill."""
    host = (urlsplit(url).hostname or "") if url else ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host.rpartition(".")[2] in ("localhost", "local", "internal")


def is_under(url: str | None, hosts: Iterable[str]) -> bool:
    """Whether an address is on one of these hosts or their subdomains."""
    host = (urlsplit(url).hostname or "") if url else ""
    return any(own and f".{host}".endswith(f".{own}") for own in hosts)


def _variables(key_env: str) -> list[str]:
    names = [name.strip() for name in key_env.split(",")]
    if all(name.isascii() and name.isidentifier() and not looks_like_key(name) for name in names):
        return names
    raise CommandError(
        "annotator.key_env: write the name of an environment variable, such as MY_API_KEY, "
        "not the key itself"
    )


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # ValueError: not UTF-8, or no path
        raise CommandError(
            f"annotator.key_file {path}: cannot be read; write one key a line"
        ) from None
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _checked(values: Sequence[str], source: str) -> list[Secret]:
    keys = [value.strip() for value in values if value.strip()]
    if not keys:
        raise CommandError(f"{source}: no key in it")
    for number, key in enumerate(keys, 1):
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise CommandError(f"{source}: key {number} holds characters that no key has")
    return [Secret(key) for key in dict.fromkeys(keys)]


def is_azure(url: str | None) -> bool:
    """Whether an address is of Azure's OpenAI service."""
    return is_under(url, AZURE_HOSTS)
