"""What may be printed of texts that others wrote: no control characters, keys or passwords."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

HIDDEN = "[key]"
PASSWORD = "[password]"
SHORTEST = 4
"""Shorter pieces of a password are not searched: they occur in words."""

_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""C0 without tab and newline, DEL, C1; marks that turn the direction of writing or end a line; half
surrogate pairs, which no stream can encode."""
_RUN = re.compile(r"[A-Za-z0-9]{20,}")
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:sk|pk|gsk|hf|xai|ghp|glpat|nvapi|pplx|r8)[-_]"
    r"(?:(?=[\w-]*\d)[\w-]{8,}|[\w-]{20,})|AIza[\w-]{20,})",
    re.ASCII,
)
"""Keys as vendors begin them."""
_WORD = re.compile(r"(?<![\w+/\\.~-])[\w+-]{8,}(?:[+/\\=~.-]*\w)*=*")
_COMMIT = re.compile(r"(?:revision[ =]|@)\Z")
_CREDENTIALS = re.compile(
    r"(?:(?<=//)|(?<=:/))(?:[^\s/@]*@|[^\s@]*:\S*@|[^\s/@:]*:(?!\d+\b)[^/@]*@)"
)
"""Before the host of an address, also of one that is written wrongly, or was made a path."""


def printable(text: str) -> str:
    r"""The text with ``\u001b`` for what a terminal would act on; lines and tabs stay.

    JSON writes these characters alike, so JSON stays the same value.
    """
    return _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """A message as it may be printed: on one line, and without keys and passwords."""
    text = _CREDENTIALS.sub(f"{PASSWORD}@", text)
    for one in _proxy_credentials():
        text = text.replace(one, PASSWORD)
    return printable(" ".join(_WORD.sub(_without_key, text).split()))


def looks_like_key(text: str) -> bool:
    """Whether a text holds what no word is.

    That is 20 letters and digits in a row, of both, 3 digits; or what begins as vendors' keys do.
    """
    runs = _RUN.findall(text)
    return bool(_PREFIXED.search(text)) or any(
        sum(map(str.isdigit, run)) >= 3 and not run.isdigit() for run in runs
    )


def _without_key(word: re.Match[str]) -> str:
    # Only what stands before a slash: folders are named by hashes.
    if not looks_like_key(re.split(r"[/\\]", word[0], maxsplit=1)[0]):
        return word[0]
    commit = re.fullmatch(r"[0-9a-f]{40}", word[0]) and _COMMIT.search(word.string[: word.start()])
    return word[0] if commit else HIDDEN


def _proxy_credentials() -> Iterator[str]:
    """User and password of the proxies that the environment names, and pieces of a password.

    Who reads ``http://user:pass/word@host`` complains of the port ``pass``.
    """
    for name, value in os.environ.items():
        credentials, at, _ = value.rpartition("@")
        if name.lower().endswith("_proxy") and at:
            credentials = credentials.partition("//")[2] or credentials
            password = credentials.partition(":")[2]
            pieces = [one for one in re.split(r"[/?#:@]", password) if len(one) >= SHORTEST]
            yield from filter(None, (credentials, password, *pieces))
