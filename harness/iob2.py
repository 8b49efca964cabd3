"""IOB2: a mention begins with ``B-X`` and goes on with ``I-X``; classes ``O, B-1, I-1, ...``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.data import OUTSIDE, IntArray


class Span(NamedTuple):
    """A mention: tokens ``begin`` to ``end`` (exclusive) and the index of its entity type."""

    begin: int
    end: int
    type: int


def fault(tags: Sequence[str]) -> str | None:
    """What is wrong with a sentence's tags, in words; None if they are valid."""
    previous = "O"
    for position, tag in enumerate(tags, start=1):
        if tag.startswith("I-") and previous[2:] != tag[2:]:
            return (
                f"tag {position} is {tag} after {previous}, which IOB2 does not allow; "
                f"a mention begins with B-{tag[2:]}"
            )
        previous = tag
    return None


def first_invalid(labels: IntArray, offsets: IntArray) -> int | None:
    """The first unit whose class index (``O, B-1, I-1, ...``) breaks the rule; None if none."""
    inside = (labels > 0) & (labels % 2 == 0)
    previous = np.concatenate([[0], labels[:-1]])
    starts = np.zeros(len(labels), dtype=bool)
    starts[offsets[:-1][np.diff(offsets) > 0]] = True
    broken = inside & (starts | ((previous != labels) & (previous != labels - 1)))
    return int(np.argmax(broken)) if broken.any() else None


def tags_of(spans: Sequence[Span], length: int) -> tuple[int, ...]:
    """Mentions as class indices, one a token: valid IOB2."""
    tags = [OUTSIDE] * length
    for begin, end, kind in spans:
        tags[begin:end] = [2 + 2 * kind] * (end - begin)
        tags[begin] = 1 + 2 * kind
    return tuple(tags)


def spans_of(tags: Sequence[int]) -> list[Span]:
    """The mentions of a sentence of valid IOB2, in reading order; none of an abstention."""
    spans: list[Span] = []
    for position, tag in enumerate(tags):
        if tag <= OUTSIDE:
            continue
        if tag % 2:
            spans.append(Span(position, position + 1, (tag - 1) // 2))
        else:
            begin, _, kind = spans[-1]
            spans[-1] = Span(begin, position + 1, kind)
    return spans
