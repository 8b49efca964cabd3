"""Which label a reply names: tolerant of its form, never choosing between two labels.

A reply goes through these readings, the most explicit first, and the first that finds
labels decides, by naming one or, naming several, by abstaining:

1. the whole reply is a label;
2. JSON with a label as value (``{"label": "x"}``), bare, fenced or in prose;
3. an announced answer ("Final answer: x", "Answer: x", "The label is x");
4. a label on a line, or before other words and punctuation, of its own ("x - because ...");
5. prose in which one label alone is mentioned and is neither negated nor asked about.

Negation is taken widely: a label behind "not" in the same clause is denied, however many
words are between. A reading that is lost in this way costs an answer; a wrong one would
cost a label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from harness.data import ABSTAINED
from harness_plugins.annotators.llm.json_values import json_values
from harness_plugins.annotators.llm.marking import (
    MARK,
    Marker,
    is_mark,
    label_of,
    squashed,
    stripped,
)
from harness_plugins.annotators.llm.replies import CUT, REFUSED, Said, is_apology, is_refusal, said

NO_LABEL = "the reply names no label"
_KNOWN_REPLIES = 65_536
_DEPTH = 4

_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]?")
_PART = re.compile(r"[.!?:;()\[\]{}\n\r]+|\s[-–]+\s|[—―→]|->")
_CLAUSE = re.compile(
    r"[.,;:!?()\[\]{}<>|/\\\n\r•…=→]+|\s[-–]+\s|[—―]|->"
    r"|\b(?:(?<!anything )but|because|although|though|while|whereas|however|since|so|and not"
    r"|rather(?! than))\b",
    re.IGNORECASE,
)
_THEN = (
    r"[^\n.:\U000f0000-\U000ffffd]{0,60}?"
    r"(?:\s*(?::|=+>?|->|→|[-–—]+)|\s(?:is|was|would\ be|should\ be)\b)+"
)
_ANNOUNCED = tuple(
    re.compile(rf"\b(?:{nouns})\b{_THEN}", re.IGNORECASE | re.VERBOSE)
    for nouns in (
        r"(?:final|overall|definitive)\ (?:answer|label|category|class|classification|choice"
        r"|verdict|decision|sentiment|prediction)",
        r"answer",
        r"label|category|class|classification|sentiment|type|prediction|output|result|verdict"
        r"|conclusion|choice|topic|decision",
    )
)
_STRICT = 2
"""So many of them name the answer itself: one without a label ("Answer: unknown") is none."""
_KEYS = (
    ("finalanswer", "finallabel", "final"),
    ("answer", "label", "labels", "category", "class", "classification", "prediction", "sentiment"),
    ("output", "result", "type", "topic", "choice", "verdict", "response", "value", "name"),
)
_NEGATES = re.compile(
    r"""\b(?:not|no|never|neither|nor|none|nothing|cannot|without|hardly|barely|scarcely|non
    |lacks?|lacking|unlikely|opposite|isnt|doesnt|dont|excludes?|excluded|excluding
    |rather\ than|instead\ of|far\ from|anything\ but|fails?\ to|if|whether|doubt\w*)\b|n['’]t\b""",
    re.VERBOSE | re.IGNORECASE,
)
_NEGATED_AFTER = re.compile(
    r"n['’]t\b|\b(?:not|cannot|wrong|incorrect|inappropriate|ruled out)\b", re.IGNORECASE
)


class Reading(NamedTuple):
    """The class index, or ``ABSTAINED`` with the reason."""

    label: int
    reason: str


class LabelReader:
    """Reads labels out of replies.

    Args:
        labels: the label set, in class order.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._marker = Marker(labels)
        self.read: Callable[..., Reading] = lru_cache(_KNOWN_REPLIES)(self._read)
        """``read(text, finish="stop")``: the label that a reply names, or why none."""

    def _read(self, text: str, finish: str = "stop") -> Reading:
        part = said(text, finish)
        if isinstance(part, str):
            return _abstained(part)
        label = self._marker.whole(part.text)
        if label is not None:
            goes_on = part.cut and self._marker.goes_on(label)
            return _abstained(CUT) if goes_on else Reading(label, "")
        return self._from_json(part) or self._from_text(part)

    # -- JSON --------------------------------------------------------------------------

    def _from_json(self, part: Said) -> Reading | None:
        if not any(bracket in part.text for bracket in '{["'):
            return None
        found: set[int] = set()
        asked = False
        for value in json_values(part.text):
            labels, announced = self._in_value(value, _DEPTH)
            found |= labels
            asked = asked or announced
        if found:
            return self._one_of(found)
        return _abstained(NO_LABEL) if asked else None

    def _in_value(self, value: Any, depth: int) -> tuple[set[int], bool]:
        """Labels in a JSON value, and whether it has a key that announces one."""
        if isinstance(value, bool | int | float | str):
            return self._in_scalar(value), False
        if depth == 0 or not isinstance(value, list | dict):
            return set(), False
        if isinstance(value, dict):
            return self._in_object(value, depth)
        found = [self._in_value(one, depth - 1) for one in value[:100]]
        return set().union(*(labels for labels, _ in found)), any(told for _, told in found)

    def _in_object(self, value: dict[Any, Any], depth: int) -> tuple[set[int], bool]:
        """By the keys that announce an answer; else by its texts, a number being a score."""
        keys = {squashed(str(key)): one for key, one in value.items()}
        for tier in _KEYS:
            present = [keys[key] for key in tier if key in keys]
            if present:
                found = [self._in_value(one, depth - 1)[0] for one in present]
                return set().union(*found), True
        texts = [one for one in value.values() if isinstance(one, str | dict | list)]
        return set().union(*(self._in_value(one, depth - 1)[0] for one in texts)), False

    def _in_scalar(self, value: bool | int | float | str) -> set[int]:
        text = str(value).strip()
        label = self._marker.whole(text)
        if label is not None:
            return {label}
        return self._alone(self._marker.marked(text)) if isinstance(value, str) else set()

    # -- text --------------------------------------------------------------------------

    def _from_text(self, part: Said) -> Reading:
        text = self._marker.marked(part.text)
        for tier, announced in enumerate(_ANNOUNCED):
            values = [value for value in map(_value_of, announced.finditer(text)) if value]
            labels = set().union(*(self._in_announced(value) for value in values))
            if labels:
                return self._whole_reply(labels, part, text)
            if values and tier < _STRICT:
                return _abstained(REFUSED if is_apology(part.text) else NO_LABEL)
        if is_refusal(part.text):
            return _abstained(REFUSED)
        labels = self._alone(text)
        if labels:
            return self._whole_reply(labels, part, text)
        return _abstained(CUT) if part.cut else self._in_prose(text, part.text)

    def _whole_reply(self, labels: set[int], part: Said, text: str) -> Reading:
        """One of them, unless the end is missing and could have changed it."""
        last = text.rstrip()[-1:]
        if part.cut and is_mark(last) and self._marker.goes_on(label_of(last)):
            return _abstained(CUT)
        return self._one_of(labels)

    def _in_announced(self, value: str) -> set[int]:
        """Labels in what follows "Answer:", or in the first sentence of it."""
        first = _SENTENCE.match(value)
        return self._alone(value) or (self._affirmed(first[0])[0] if first else set())

    def _alone(self, text: str) -> set[int]:
        """Labels that stand alone: first, last, or on a line of their own.

        Each other label that stands alone anywhere is then meant, too, but for those
        that are asked about ("negative? No, positive").
        """
        whole = self._marker.clause
        lines = [
            [one for one in map(stripped, _CLAUSE.split(line)) if one] for line in _lines(text)
        ]
        lines = [line for line in lines if line]
        if not lines:
            return set()
        last = [one for one in map(stripped, _PART.split(text)) if one][-1:]
        leading = [lines[0][0], *last, *(line[0] for line in lines if len(line) == 1)]
        if all(whole(one) is None for one in leading):
            return set()
        asked = {stripped(one) for one in _SENTENCE.findall(text) if one.endswith("?")}
        alone = {one for line in lines for one in line if whole(one) is not None}
        return {found for one in (alone - asked or alone) if (found := whole(one)) is not None}

    def _in_prose(self, text: str, raw: str) -> Reading:
        affirmed, denied = self._affirmed(text)
        if affirmed & denied:
            return _abstained(
                f"the reply both affirms and denies {self._marker.listed(affirmed & denied)}"
            )
        if affirmed:
            short = {label_of(mark) for mark in re.findall(MARK, text)} & self._marker.short
            return self._one_of(affirmed | short)
        if denied:
            return _abstained(f"the reply only denies {self._marker.listed(denied)}")
        return _abstained(REFUSED if is_apology(raw) else NO_LABEL)

    def _affirmed(self, text: str) -> tuple[set[int], set[int]]:
        """Labels that the sentences of a text affirm, and those that they deny."""
        affirmed: set[int] = set()
        denied: set[int] = set()
        told = (one for one in _SENTENCE.findall(text) if not one.endswith("?"))
        for clause in (clause for sentence in told for clause in _CLAUSE.split(sentence)):
            for match in re.finditer(MARK, clause):
                label = label_of(match[0])
                if label in self._marker.short:
                    continue
                before, after = clause[: match.start()], clause[match.end() :]
                against = _NEGATES.search(before) or _NEGATED_AFTER.search(after)
                (denied if against else affirmed).add(label)
        return affirmed, denied

    def _one_of(self, labels: set[int]) -> Reading:
        if len(labels) > 1:
            return _abstained(f"the reply names several labels: {self._marker.listed(labels)}")
        return Reading(next(iter(labels)), "")


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if line.strip())


def _value_of(announced: re.Match[str]) -> str:
    """What follows an announcement: the rest of its line, or the next line.

    "" where the announcement itself is denied or a condition ("I doubt that the label is").
    """
    text = announced.string
    before = re.split(r"[.!?\n]", text[: announced.start()])[-1]
    if _NEGATES.search(before):
        return ""
    return text[announced.end() :].lstrip().partition("\n")[0].strip()


def _abstained(reason: str) -> Reading:
    return Reading(ABSTAINED, reason)
