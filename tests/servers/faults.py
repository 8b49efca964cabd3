"""What may go wrong with a request: each kind is an effect on the response or the connection."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["FATAL", "KINDS", "PASSING", "Faults"]

PASSING = (
    *("429", "429-retry-after", "429-date", "500", "503", "reset", "trickle", "truncated"),
    *("empty-choices", "hang"),
)
"""Kinds after which the same request may be sent again."""
ANSWERS = ("refusal", "content-filter", "wrong-label", "no-usage", "empty", "length")
"""Kinds that are answers, if odd ones."""
FATAL = ("401", "quota", "no-model", "404", "400", "context", "filtered", "unsupported", "html")
"""Kinds that would come again."""
KINDS = (*PASSING, *ANSWERS, *FATAL)


@dataclass(slots=True)
class Faults:
    """Which requests fail, and how.

    Attributes:
        rate: fraction of requests that fail, drawn anew for each attempt.
        kinds: one of them is drawn.
        seed: of the draws.
        marked: a text that holds a key of this mapping always fails with its value.
    """

    rate: float = 0.0
    kinds: Sequence[str] = PASSING
    seed: int = 0
    marked: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := {*self.kinds, *self.marked.values()} - set(KINDS):
            raise ValueError(f"unknown faults {sorted(unknown)}; known: {', '.join(KINDS)}")

    def of(self, text: str, attempt: int) -> str | None:
        """The fault of the ``attempt``-th request (from 0) with this text, or None."""
        for mark, kind in self.marked.items():
            if mark in text:
                return kind
        draw = random.Random(zlib.crc32(f"{self.seed}:{attempt}:{text}".encode()))
        return draw.choice(self.kinds) if draw.random() < self.rate else None
