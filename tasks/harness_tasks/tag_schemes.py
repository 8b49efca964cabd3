"""Tags of mentions in other schemes than IOB2: recognised with certainty, or refused.

IOB2 begins every mention with ``B-``. IOB1 (Ramshaw and Marcus 1995; the original files of
CoNLL-2003) writes ``B-`` only where a mention follows another of the same type. IOBES and
BILOU mark the last token (``E-``, ``L-``) and mentions of one token (``S-``, ``U-``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from harness import iob2

Scheme: TypeAlias = Literal["IOB2", "IOB1", "IOBES", "BILOU"]

_LETTERS: dict[Scheme, str] = {"IOB2": "BI", "IOB1": "BI", "IOBES": "BIES", "BILOU": "BILU"}
_TO_IOB2 = {"S": "B", "U": "B", "E": "I", "L": "I"}
_FOLLOWERS = {"IOBES": "IE", "BILOU": "IL"}
"""What must follow ``B-`` and ``I-``, of the same type."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The scheme that the fewest sentences of a file break, how many do, and the next best one."""

    scheme: Scheme
    breaking: int
    other: Scheme
    other_breaking: int

    def __str__(self) -> str:
        return (
            f"of the whole file {_sentences(self.breaking)} {self.scheme} and "
            f"{_sentences(self.other_breaking)} {self.other}"
        )


def detect(sentences: Iterable[Sequence[str]]) -> Fit:
    """The scheme of a whole file: the one that the fewest of its sentences break.

    Mentions that fit two schemes fit IOB2, which comes first.
    """
    breaking: dict[Scheme, int] = dict.fromkeys(_LETTERS, 0)
    broken_by: dict[tuple[str, str], set[Scheme]] = {}  # each pair once
    for tags in sentences:
        broken: set[Scheme] = set()
        for pair in set(pairwise(["O", *tags, "O"])):
            if pair not in broken_by:
                broken_by[pair] = {scheme for scheme in _LETTERS if _breaks(*pair, scheme)}
            broken |= broken_by[pair]
        for scheme in broken:
            breaking[scheme] += 1
    best, other, *_ = sorted(breaking, key=breaking.__getitem__)
    return Fit(best, breaking[best], other, breaking[other])


def fault(tags: Sequence[str], scheme: Scheme) -> str | None:
    """What is wrong with a sentence's tags by its scheme; None if nothing is."""
    for position, tag in enumerate(tags, start=1):
        if _foreign(tag, scheme):
            return f"tag {position} is {tag}, which {scheme} does not have"
    if scheme == "IOB2":
        return iob2.fault(tags)
    for position, (tag, after) in enumerate(pairwise(["O", *tags, "O"]), start=1):
        if _breaks(tag, after, scheme):
            what = f"tag {position} is {after}" if position <= len(tags) else "the sentence ends"
            return f"{what} after {tag}, which {scheme} does not allow"
    return None


def _foreign(tag: str, scheme: Scheme) -> bool:
    return tag != "O" and (tag[:1] not in _LETTERS[scheme] or tag[1:2] != "-")


def _breaks(tag: str, after: str, scheme: Scheme) -> bool:
    if _foreign(after, scheme):
        return True
    differs = tag[2:] != after[2:]
    if scheme == "IOB2":
        return after.startswith("I-") and differs
    if scheme == "IOB1":
        return after.startswith("B-") and differs
    opened, goes_on = tag[:1] in ("B", "I"), after[:1] in tuple(_FOLLOWERS[scheme])
    return opened != goes_on or (opened and differs)


def _sentences(count: int) -> str:
    return "1 sentence breaks" if count == 1 else f"{count} sentences break"


def alone(tag: str, scheme: Scheme) -> str:
    """The tag of IOB2 with the same type; a tag that the scheme does not have is kept."""
    if tag == "O" or _foreign(tag, scheme):
        return tag
    return _TO_IOB2.get(tag[0], tag[0]) + tag[1:]


def to_iob2(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """The same mentions in IOB2; the tags must have no fault."""
    if scheme == "IOB2":
        return list(tags)
    if scheme == "IOB1":
        return [
            f"B-{tag[2:]}" if tag.startswith("I-") and previous[2:] != tag[2:] else tag
            for previous, tag in pairwise(["O", *tags])
        ]
    return [alone(tag, scheme) for tag in tags]
