"""Which requests fail, and how: drawn anew for each attempt, or marked in the text."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.testing.cases import Case, dialect

KINDS = tuple(case.name for case in dialect("faults").case)
PASSING = tuple(case.name for case in dialect("faults").case if case.outcome in ("retry", "wait"))
"""Kinds after which the same request may be sent again."""


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

    def of(self, text: str, attempt: int) -> Case | None:
        """The fault of the ``attempt``-th request (from 0) with this text, or None."""
        for mark, kind in self.marked.items():
            if mark in text:
                return dialect("faults")[kind]
        draw = random.Random(zlib.crc32(f"{self.seed}:{attempt}:{text}".encode()))
        failing = draw.random() < self.rate
        return dialect("faults")[draw.choice(self.kinds)] if failing else None
