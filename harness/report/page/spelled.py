"""Labels of an example in words."""

from __future__ import annotations

from collections.abc import Sequence

from harness.data import ABSTAINED, IntArray
from harness.report.page.inside import Inside


def spelled(inside: Inside, labels: IntArray, row: int) -> str | None:
    """The label of an example; token tasks: its mentions; None where there is none."""
    begin, end = inside.pool.offsets[row : row + 2].tolist()
    found = labels[begin:end].tolist()
    if found[0] == ABSTAINED:
        return None
    names = inside.card.classes
    if inside.card.kind == "sequence":
        return str(names[found[0]])
    return mentions([names[one] for one in found], inside.pool.examples[row])


def mentions(tags: Sequence[str], tokens: Sequence[str]) -> str:
    """``person: Ann Stone; place: Oslo``; a dash where there is none."""
    found: list[tuple[str, list[str]]] = []
    for tag, token in zip(tags, tokens, strict=True):
        prefix, _, kind = tag.partition("-")
        if prefix == "B":
            found.append((kind, [token]))
        elif prefix == "I" and found:
            found[-1][1].append(token)
    return "; ".join(f"{kind}: {' '.join(words)}" for kind, words in found) or "–"
