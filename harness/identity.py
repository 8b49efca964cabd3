"""Names for examples that tell nothing but which text they are."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

__all__ = ["example_ids", "occurrence", "text_key"]


def text_key(text: str) -> str:
    """Sixteen hexadecimal digits that stand for a text without repeating it."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def example_ids(split: str, texts: Sequence[str]) -> tuple[str, ...]:
    """``split:key`` for each text, ``split:key.2`` where it occurs for the second time.

    Not the line of the file: some data sets are sorted by class, and a part could read
    the label off the line.
    """
    seen: Counter[str] = Counter()
    ids = []
    for text in texts:
        key = text_key(text)
        seen[key] += 1
        ids.append(f"{split}:{key}" + (f".{seen[key]}" if seen[key] > 1 else ""))
    return tuple(ids)


def occurrence(id_: str) -> int:
    """Which occurrence of its text an id means, 1 for the first."""
    number = id_.partition(".")[2]
    return int(number) if number.isdecimal() else 1
