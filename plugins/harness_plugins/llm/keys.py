"""Keys: from the environment, ``.env`` or a file, and out of everything that is said.

A key is held in a ``Secret``, which shows nothing of itself. Servers echo keys in their
messages, whole or in part, so that every message of a server goes through ``Redactor``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.errors import CommandError

__all__ = [
    "Redactor",
    "Secret",
    "dotenv_setting",
    "environment_secrets",
    "keys_of",
    "setting",
]

HIDDEN = "[key]"
PART = 6
"""So many characters of a key in a row are hidden."""
SHORTEST = 8
"""Shorter values of the environment are not taken for secrets: they may be common words."""

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)S?$")
_KEY_LIKE = re.compile(r"\b(?:sk|pk|gsk|key|api)-[\w*.…\-]{6,}|\bAIza[\w*.\-]{6,}|\S*\*{3,}\S*")
_BEARER = re.compile(r"(?i)(bearer|authorization|api[-_]key)(['\":=\s]+)(?!\[key\])[^\s'\",}]{6,}")


class Secret:
    """A key that does not show itself: not printed, not pickled, not in any repr."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key, for the one header that carries it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret()"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written anywhere")


class Redactor:
    """Hides keys in text, whole and in part.

    Args:
        secrets: the keys in use.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        values = sorted({secret.reveal() for secret in secrets}, key=len, reverse=True)
        self._values = [value for value in values if value]
        self._parts = {
            value[start : start + PART]
            for value in self._values
            for start in range(len(value) - PART + 1)
        }

    def __call__(self, text: str) -> str:
        """The text without them, on one line."""
        text = " ".join(text.split())
        for value in self._values:
            text = text.replace(value, HIDDEN)
        text = self._without_parts(_KEY_LIKE.sub(HIDDEN, text))
        return _BEARER.sub(rf"\1\2{HIDDEN}", text)

    def _without_parts(self, text: str) -> str:
        shown: list[str] = []
        position = 0
        while position < len(text):
            length = self._leaked(text, position)
            shown.append(HIDDEN if length else text[position])
            position += length or 1
        return "".join(shown)

    def _leaked(self, text: str, start: int) -> int:
        """Length of the piece of a key that begins here, 0 for none."""
        end = start
        while text[end : end + PART] in self._parts and end + PART <= len(text):
            end += 1
        return end - start + PART - 1 if end > start else 0


def keys_of(key_file: str | None, names: Sequence[str]) -> list[Secret]:
    """The keys to use: those of the file, else of the first variable that is set.

    Args:
        key_file: a file with one key a line, or None.
        names: environment variables; several keys stand with commas between them. The
            environment comes before a ``.env`` in the working directory.

    Raises:
        CommandError: if the file cannot be read, or a key cannot be sent in a header.
    """
    if key_file is not None:
        return _checked(_read_lines(Path(key_file)), key_file)
    for name in names:
        if value := setting(name):
            return _checked(value.split(","), name)
    return []


def setting(name: str) -> str | None:
    """A variable of the environment, else of ``.env`` in the working directory."""
    value = os.environ.get(name) or ""
    return value.strip() or dotenv_setting(name)


def dotenv_setting(name: str) -> str | None:
    """A variable of ``.env`` in the working directory, whatever the environment has."""
    return (_dotenv().get(name) or "").strip() or None


def environment_secrets() -> list[Secret]:
    """Everything in the environment and in ``.env`` that is named like a secret."""
    values = {**_dotenv(), **os.environ}
    return [
        Secret(part.strip())
        for name, value in values.items()
        if value and _SECRET_NAME.search(name.upper())
        for part in value.split(",")
        if len(part.strip()) >= SHORTEST
    ]


def _dotenv() -> dict[str, str | None]:
    from dotenv import dotenv_values

    file = Path(".env")
    try:
        return dict(dotenv_values(file)) if file.is_file() else {}
    except (OSError, UnicodeDecodeError):
        raise CommandError(".env: cannot be read as UTF-8 text") from None


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # of ValueError: not UTF-8, or no path at all
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
