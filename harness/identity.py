"""Names of examples, which reveal nothing but the text; hashes of values."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import numpy as np

CHUNK = 1024
"""Items of a sequence that are hashed together."""
ASIDE = frozenset({"requests", "tokens", "cost_usd", "answers_usd", "clean"})
"""Fields that say what a value cost, or how it came about, not what it is."""


def text_key(text: str) -> str:
    """Sixteen hexadecimal digits that stand for a text without repeating it."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def example_ids(split: str, texts: Sequence[str]) -> tuple[str, ...]:
    """``split:key`` for each text, ``split:key.2`` where it occurs for the second time.

    Not the line of the file: some data sets are sorted by class, so the line could reveal
    the label.
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


def digest(*values: object) -> str:
    """SHA-256 of values in their order: plain ones, arrays, sequences, dataclasses of these.

    The fields ``ASIDE`` of a value do not count. Large values are not copied.
    """
    found = hashlib.sha256()
    for value in values:
        for piece in _pieces(value):
            found.update(piece)
    return found.hexdigest()


def _pieces(value: Any) -> Iterator[Any]:
    """Bytes or arrays that stand for a value; each includes its length."""
    if isinstance(value, np.ndarray):
        yield _json([str(value.dtype), value.shape])
        yield np.ascontiguousarray(value)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if field.name not in ASIDE:
                yield from _pieces(getattr(value, field.name))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield _json(len(value))
        for start in range(0, len(value), CHUNK):
            yield _json(list(value[start : start + CHUNK]))
    else:
        yield _json(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=_plain).encode() + b"\n"


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
