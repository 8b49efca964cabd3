"""What must not stand in a configuration, which is written beside the results: keys."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import CommandError, ConfigError
from harness_plugins.llm.keys import environment_secrets

__all__ = ["check_key_sources", "check_no_secret", "looks_like_key", "not_set", "variables_of"]

LONG = 16
"""A value that holds a secret of the environment of so many characters is refused, not only one
that equals it."""

_SECRET_WORDS = re.compile(
    r"apikey|accesskey|privatekey|secret|passw|passphrase|credential|authorization|bearer|cookie"
)
_TOKEN_OF_ACCESS = re.compile(
    r"(^|_)token$|(auth|access|session|refresh|identity|(^|_)(ad|id))_?token(?!s)"
)
_TEXT_TOKEN = re.compile(r"(^|_)(eos|bos|pad|stop|unk|mask)_token$")
_LAST_WORD_SECRET = re.compile(r"(^|_)(auth|pwd|keys?)$")
_HARMLESS = frozenset({"prompt_cache_key"})
_HEADERS = re.compile(r"(^|_)headers?$")
_ADDRESS = re.compile(r"(^|_)(base|url|uri|endpoint|proxy|proxies)$")
_BODY = frozenset({"extra_body", "extra_query"})

_PREFIXED = re.compile(
    r"\b(sk|pk|rk|gsk|xai|hf|r8|nvapi|glpat|ghp|pplx|key|api)[-_](?=(?:[\w-]*\d){2})[\w-]{16,}"
)
_MADE = re.compile(
    r"\bAIza[\w-]{20,}|\b(AKIA|ASIA)[A-Z0-9]{12,}|\beyJ[\w-]{10,}\.|-----BEGIN |"
    r"\b[Bb]earer\s+\S{8,}"
)
_OPAQUE = re.compile(r"(?=.*[A-Za-z])(?=(?:.*\d){3})(?!/)[A-Za-z0-9+/=_]{24,}")


def looks_like_key(text: str) -> bool:
    """Whether a text has the form of a key: a vendor's prefix, or long and without a word."""
    text = text.strip()
    return bool(_PREFIXED.search(text) or _MADE.search(text) or _OPAQUE.fullmatch(text))


def check_no_secret(parameters: Mapping[str, Any]) -> None:
    """Refuse request parameters that carry keys, headers or addresses, however deep.

    Raises:
        ConfigError: that names the parameter, never its value.
    """
    secrets = {secret.reveal() for secret in environment_secrets()}
    for path, value in _leaves(parameters, ""):
        shown = "a name" if any(map(looks_like_key, path.split("."))) else repr(path)
        if why := _why_not_named(path):
            raise ConfigError(f"annotator.parameters: {shown} cannot be set here; {why}")
        if shown == "a name" or _is_secret(value, secrets):
            raise ConfigError(
                f"annotator.parameters: {shown} holds what looks like a key, and parameters are "
                "written into the run; keys come from annotator.key_env or annotator.key_file"
            )


def check_key_sources(key_env: str | None, key_file: str | None) -> None:
    """Refuse a key that stands where the name of its variable or file belongs.

    Raises:
        CommandError: without the value.
    """
    if key_env is not None:
        variables_of(key_env)
    # Not Path.exists: that raises for what is too long to be a name, as a key may be.
    if key_file and looks_like_key(key_file) and not os.path.exists(key_file):  # noqa: PTH110
        raise CommandError(
            "annotator.key_file: this is no file and looks like a key; write the key into a file "
            "and name that"
        )


def variables_of(key_env: str) -> list[str]:
    """The variables that ``annotator.key_env`` names; commas stand between several.

    Raises:
        CommandError: if it holds anything but names; without the value.
    """
    names = [name.strip() for name in key_env.split(",")]
    if all(name.isascii() and name.isidentifier() and not looks_like_key(name) for name in names):
        return names
    raise CommandError(
        "annotator.key_env: write the name of an environment variable, such as MY_API_KEY, "
        "not the key itself"
    )


def not_set(key_env: str) -> str:
    """That nothing is set under these names; they are told only if they look like names."""
    names = variables_of(key_env)
    if all(name.isupper() for name in names):
        return f"variable {' or '.join(names)} is not set"
    return "the variable that it names is not set"


def _why_not_named(path: str) -> str:
    for name in path.split("."):
        words = re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
        run = words.replace("_", "")
        if words in _HARMLESS:
            continue
        if _HEADERS.search(words) or _is_secret_name(words, run):
            return "keys come from annotator.key_env or annotator.key_file"
        if _ADDRESS.search(words) or run in ("apibase", "baseurl"):
            return "the address is annotator.base_url"
        if words in _BODY:
            return "what is in it is set as parameters of their own"
    return ""


def _is_secret_name(words: str, run: str) -> bool:
    return bool(
        _SECRET_WORDS.search(run)
        or _LAST_WORD_SECRET.search(words)
        or (_TOKEN_OF_ACCESS.search(words) and not _TEXT_TOKEN.search(words))
    )


def _is_secret(value: Any, secrets: set[str]) -> bool:
    text = str(value).strip()
    return looks_like_key(text) or any(
        text == secret or (len(secret) >= LONG and secret in text) for secret in secrets
    )


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every name with dots between its levels, and what is not a table or list in it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
        if not value and path:
            yield path, ""
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, path)
        if not value:
            yield path, ""
    else:
        yield path, value
