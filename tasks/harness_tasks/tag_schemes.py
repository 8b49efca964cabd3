"""Tags of mentions in other schemes than IOB2: recognised without doubt, or refused.

IOB2 begins every mention with ``B-``. IOB1 (Ramshaw and Marcus 1995; the original files of
CoNLL-2003) writes ``B-`` only where a mention follows another of the same type. IOBES and
BILOU mark the last token (``E-``, ``L-``) and mentions of one token (``S-``, ``U-``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

from harness import iob2

__all__ = ["Scheme", "detect", "fault", "to_iob2"]

Scheme: TypeAlias = Literal["IOB2", "IOB1", "IOBES", "BILOU"]

_TO_IOB2 = {"S": "B", "U": "B", "E": "I", "L": "I"}
_FOLLOWERS = {"IOBES": "IE", "BILOU": "IL"}
"""What must come after ``B-`` and ``I-`` of the same type."""


def detect(sentences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme of a whole file. What fits no other is IOB2, whose rule names its fault.

    IOB1 is certain where some mention begins with ``I-`` and every ``B-`` follows a mention
    of its own type: IOB2 allows the first nowhere, and its ``B-`` stand elsewhere.
    """
    letters: set[str] = set()
    breaks_iob2, fits_iob1 = False, True
    for tags in sentences:
        if all(tag == "O" for tag in tags):
            continue
        letters.update(tag[0] for tag in tags if tag[1:2] == "-")
        for previous, tag in pairwise(["O", *tags]):
            if tag == "O":
                continue
            follows = previous[:1] in ("B", "I") and previous[2:] == tag[2:]
            breaks_iob2 |= tag.startswith("I-") and not follows
            fits_iob1 &= not tag.startswith("B-") or follows
    if letters & set("ES") and letters <= set("BIES"):
        return "IOBES"
    if letters & set("LU") and letters <= set("BILU"):
        return "BILOU"
    return "IOB1" if breaks_iob2 and fits_iob1 else "IOB2"


def fault(tags: Sequence[str], scheme: Scheme) -> str | None:
    """What is wrong with a sentence's tags by the rule of its scheme; None if nothing is."""
    if scheme == "IOB2":
        return iob2.fault(tags)
    if scheme == "IOB1":
        return None  # every sequence of O, B- and I- is one; detect has looked at each B-
    inside = _FOLLOWERS[scheme]
    for position, (tag, after) in enumerate(pairwise(["O", *tags, "O"])):
        opened = tag[:1] in ("B", "I") and tag != "O"
        goes_on = after[:1] in tuple(inside) and after[1:2] == "-"
        if opened != goes_on or (opened and tag[2:] != after[2:]):
            return f"tag {position + 1} is {after} after {tag}, which {scheme} does not allow"
    return None


def to_iob2(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """The same mentions in IOB2, of tags without a fault."""
    if scheme == "IOB2":
        return list(tags)
    if scheme == "IOB1":
        return [
            f"B-{tag[2:]}" if tag.startswith("I-") and previous[2:] != tag[2:] else tag
            for previous, tag in pairwise(["O", *tags])
        ]
    return [tag if tag == "O" else _TO_IOB2.get(tag[0], tag[0]) + tag[1:] for tag in tags]
