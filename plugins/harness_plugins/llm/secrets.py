"""Recognises secrets by name or form and keeps them out of configurations, files and messages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import CommandError, ConfigError
from harness.files.printable import HIDDEN, looks_like_key, printable

SHORTEST = 8
"""Shorter values of the environment do not count as secrets: they may be common words."""
LONG = 16
"""A value is refused if it contains a secret of at least so many characters."""

_SECRET_NAME = re.compile(
    r"key|secret|passw|passphrase|pwd$|credential|auth$|authorization|bearer|cookie|header|token$"
)
_NO_SECRETS = frozenset({"prompt_cache_key", "eos_token", "bos_token", "pad_token"})
"""Request parameters that only sound like secrets."""
_ADDRESS = re.compile(r"(apibase|baseurl|url|uri|endpoint|proxy|proxies)$")
_BODY = frozenset({"extrabody", "extraquery"})


class Secret:
    """A key that cannot be printed or pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key, for the request header."""
        return self._value

    def __repr__(self) -> str:
        return "Secret()"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled")


class Redactor:
    """Hides in messages the given keys and all secrets of the environment and of ``.env``."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        values = {secret.reveal() for secret in (*secrets, *environment_secrets())} - {""}
        self._values = sorted(values, key=len, reverse=True)  # a key may begin with another

    def __call__(self, text: str) -> str:
        """The text without them, on one line, and without what a terminal would act on."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return printable(" ".join(text.split()))


def is_secret_name(name: str) -> bool:
    """Whether a variable or parameter of this name holds a secret."""
    return name.lower() not in _NO_SECRETS and bool(_SECRET_NAME.search(_letters(name)))


def shown(text: str) -> str:
    """A text in quotes, unless it looks like a key."""
    return HIDDEN if looks_like_key(text) else repr(text)


def setting(name: str) -> str | None:
    """A variable of the environment, else of ``.env`` in the working directory."""
    return (os.environ.get(name) or "").strip() or dotenv_setting(name)


def dotenv_setting(name: str) -> str | None:
    """A variable of ``.env`` in the working directory, whatever the environment has."""
    return (_dotenv().get(name) or "").strip() or None


def environment_secrets() -> list[Secret]:
    """Values of the environment and of ``.env`` whose names are those of secrets."""
    return [
        Secret(part.strip())
        for name, value in {**_dotenv(), **os.environ}.items()
        if value and is_secret_name(name)
        for part in value.split(",")
        if len(part.strip()) >= SHORTEST
    ]


def check_no_secret(parameters: Mapping[str, Any]) -> None:
    """Refuse request parameters with keys, headers or addresses at any depth, never shown."""
    secrets = {secret.reveal() for secret in environment_secrets()}
    for path, value in _leaves(parameters, ""):
        shown = "a name" if looks_like_key(path) else repr(path)
        if why := _why_not_named(path):
            raise ConfigError(f"annotator.parameters: {shown} cannot be set here; {why}")
        if shown == "a name" or _is_secret(str(value).strip(), secrets):
            raise ConfigError(
                f"annotator.parameters: {shown} holds what looks like a key, and parameters are "
                "written into the run; keys come from annotator.key_env or annotator.key_file"
            )


def _why_not_named(path: str) -> str:
    for name in path.split("."):
        if is_secret_name(name):
            return "keys come from annotator.key_env or annotator.key_file"
        if _ADDRESS.search(_letters(name)):
            return "the address is annotator.base_url"
        if _letters(name) in _BODY:
            return "what is in it is set as parameters of their own"
    return ""


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _is_secret(text: str, secrets: set[str]) -> bool:
    return looks_like_key(text) or any(
        text == secret or (len(secret) >= LONG and secret in text) for secret in secrets
    )


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value that is not a table or list, with its dotted name."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple) and value:
        for inner in value:
            yield from _leaves(inner, path)
    elif path:
        yield path, value or ""


def _dotenv() -> dict[str, str | None]:
    from dotenv import dotenv_values

    file = Path(".env")
    try:
        return dict(dotenv_values(file)) if file.is_file() else {}
    except (OSError, UnicodeDecodeError):
        raise CommandError(".env: cannot be read as UTF-8 text") from None
