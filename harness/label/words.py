"""Words of a plain text, with the characters at which they begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts that write no spaces between words: each character is a token."""
PATTERN = rf"(?=[{UNSPACED}])\X|(?:(?![{UNSPACED}])\w)+(?:['’](?:(?![{UNSPACED}])\w)+)*|[^\w\s]"
"""A character of such a script with its marks, a word, or one other sign."""


def words(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Tokens of a text and their ``[start, end)`` in it; no token is empty."""
    found = [match.span() for match in _pattern().finditer(text)]
    return [text[start:end] for start, end in found], found


def spans_in(
    text: str, places: Sequence[tuple[int, int]], tags: Sequence[str]
) -> list[dict[str, Any]]:
    """The mentions that IOB2 tags name, by characters: ``start``, ``end``, ``type``, ``text``."""
    found: list[dict[str, Any]] = []
    for (start, end), tag in zip(places, tags, strict=True):
        prefix, _, kind = tag.partition("-")
        if prefix == "B":
            found.append({"start": start, "end": end, "type": kind})
        elif prefix == "I":
            found[-1]["end"] = end
    return [one | {"text": text[one["start"] : one["end"]]} for one in found]


@cache
def _pattern() -> Any:
    import regex

    return regex.compile(PATTERN)
