"""The IOB2 rule: a mention begins with ``B-X`` and goes on with ``I-X``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.data import IntArray

__all__ = ["fault", "first_invalid"]


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
