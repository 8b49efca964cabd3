"""Finds the label that a reply names; abstains rather than choosing between two labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from harness.data import ABSTAINED
from harness_plugins.annotators.llm.reading.alternatives import alternatives
from harness_plugins.annotators.llm.reading.json_values import json_values, plain_key
from harness_plugins.annotators.llm.reading.marking import MARK, Marker, is_mark, label_of, stripped
from harness_plugins.annotators.llm.reading.replies import (
    CUT,
    REFUSED,
    AnswerText,
    answer_text,
    is_apology,
    is_refusal,
)
from harness_plugins.annotators.llm.reading.stances import (
    CLAUSE,
    NEGATES,
    SENTENCE,
    settled,
    stances,
)

NO_LABEL = "the reply names no label"
LONG = "the reply is too long to be a label, and announces none at its end"
_LONGEST = 20_000
"""Characters of prose to read; of a longer reply, the last ones, for an announced answer."""
_KNOWN_REPLIES = 65_536
_DEPTH = 4

_PART = re.compile(r"[.!?:;()\[\]{}\n\r。！？：；]+|\s[-–]+\s|[—―→]|->")
_THEN = (
    r"[^\n.:?!。\U000f0000-\U0010fffd]{0,60}?"
    r"(?:\s{0,5}(?::|=+>?|->|→|[-–—]+)|\s(?:is|was|would\ be|should\ be)\b)+"
)
_ANNOUNCED = tuple(
    re.compile(rf"\b(?:{nouns})\b{_THEN}", re.IGNORECASE | re.VERBOSE)
    for nouns in (
        r"(?:final|overall|definitive)\ (?:answer|label|category|class|classification|choice"
        r"|verdict|decision|sentiment|prediction)",
        r"answer",
        r"label|category|class|classification|sentiment|type|prediction|output|result|verdict"
        r"|conclusion|choice|topic|decision|rating|score|grade",
    )
)
_STRICT = 2
"""The first so many name the answer itself: without a label ("Answer: unknown") the reader
abstains."""
_KEYS = (
    ("finalanswer", "finallabel", "final"),
    ("answer", "label", "labels", "category", "class", "classification", "prediction", "sentiment"),
    ("output", "result", "type", "topic", "choice", "verdict", "response", "value", "name"),
)
_ASIDE = re.compile(
    r"""not|non|no|un|anti|reject|exclu|wrong|incorrect|opposite|false|other|alternative|second
    |option|candidate|text|input|quote|example|reason|expla|rationale|thought|evidence|comment
    |note|question|before|old""",
    re.VERBOSE,
)
"""Beginnings of words in keys whose value is not the answer."""
_NUMBERED = re.compile(
    rf"^[^\S\n]*({MARK})\s{{0,3}}([.),])[^\S\n]{{1,9}}(?=[^\W{MARK[1:-1]}])", re.M
)
_LISTED = re.compile(r"\d+|[A-Za-z]|[IVX]+")


class Reading(NamedTuple):
    """The class index, or ``ABSTAINED`` with the reason, and the labels that are left open."""

    label: int
    reason: str
    alternatives: tuple[int, ...] = ()


class LabelReader:
    """Reads labels out of replies to a task with these labels, in class order."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._marker = Marker(labels)
        self.read: Callable[..., Reading] = lru_cache(_KNOWN_REPLIES)(self._read)
        """``read(text, finish="stop")``: the label that a reply names, or why it names none."""

    def _read(self, text: str, finish: str = "stop") -> Reading:
        part = answer_text(text, finish)
        if isinstance(part, str):
            return _abstained(part)
        label = self._marker.whole(part.text)
        if label is not None:
            goes_on = part.cut and self._marker.goes_on(label)
            return _abstained(CUT) if goes_on else Reading(label, "")
        found = self._from_json(part) or self._from_text(part)
        if found.label != ABSTAINED or found.reason in (CUT, REFUSED, LONG):
            return found
        return found._replace(alternatives=alternatives(part.text, self._marker))

    def _from_json(self, part: AnswerText) -> Reading | None:
        if not any(bracket in part.text for bracket in '{["'):
            return None
        found, announced = self._in_values(json_values(part.text), _DEPTH)
        if found:
            return self._one_of(found)
        return _abstained(NO_LABEL) if announced else None

    def _in_values(self, values: Sequence[Any], depth: int) -> tuple[set[int], bool]:
        """Labels in JSON values, and whether one of their keys announces an answer."""
        found = [self._in_value(value, depth) for value in values]
        return set().union(*(labels for labels, _ in found)), any(key for _, key in found)

    def _in_value(self, value: Any, depth: int) -> tuple[set[int], bool]:
        if not isinstance(value, list | dict):
            return self._in_scalar(value), False
        if depth == 0:
            return set(), False
        if isinstance(value, dict):
            return self._in_object(value, depth)
        return self._in_values(value[:100], depth - 1)

    def _in_object(self, value: dict[Any, Any], depth: int) -> tuple[set[int], bool]:
        """From keys that announce an answer or are labels; else from all texts."""
        keys = {plain_key(key): one for key, one in value.items()}
        for tier in _KEYS:
            present = [keys[key] for key in tier if key in keys]
            if present:
                return self._in_values(present, depth - 1)[0], True
        by_label = {self._marker.whole(str(key)): one for key, one in value.items()}
        if set(by_label) - {None}:
            text = "\n".join(
                f"{self._marker.marked(str(key))}: {one}"
                for key, one in value.items()
                if isinstance(one, bool | int | float | str)
            )
            return self._affirmed_by_form(text), True
        texts = [
            one
            for key, one in value.items()
            if isinstance(one, str | dict | list) and not _aside(str(key))
        ]
        return self._in_values(texts, depth - 1)[0], False

    def _affirmed_by_form(self, text: str) -> set[int]:
        """Labels of lines ``label: yes``, ``label: 1``."""
        lines = (
            re.fullmatch(rf"({MARK})(?:: (?:1|1\.0))?", one)
            for one in settled(text, self._marker.plain).split("\n")
        )
        return {label_of(line[1]) for line in lines if line}

    def _in_scalar(self, value: Any) -> set[int]:
        """From a text, a number, null or a truth value (also as yes or no)."""
        names = [str(value).strip()]
        if value is None:
            names = ["null"]
        elif isinstance(value, bool):
            names = ["true", "yes"] if value else ["false", "no"]
        elif isinstance(value, float) and value.is_integer():
            names.append(str(int(value)))
        for name in names:
            label = self._marker.whole(name)
            if label is not None:
                return {label}
        if not isinstance(value, str):
            return set()
        return self._alone(settled(self._marker.marked(value), self._marker.plain))

    def _from_text(self, part: AnswerText) -> Reading:
        text = settled(self._marker.marked(part.text[-_LONGEST:]), self._marker.plain)
        for tier, announced in enumerate(_ANNOUNCED):
            values = [value for value in _values(announced, text) if value]
            labels = set().union(*(self._in_announced(value) for value in values))
            if labels:
                return self._whole_reply(labels, part, text)
            if values and tier < _STRICT:
                return _abstained(REFUSED if is_apology(part.text) else NO_LABEL)
        if is_refusal(part.text[-_LONGEST:]):
            return _abstained(REFUSED)
        return _abstained(LONG) if len(part.text) > _LONGEST else self._stated(text, part)

    def _whole_reply(self, labels: set[int], part: AnswerText, text: str) -> Reading:
        """The one label, unless the missing end of the reply could have changed it."""
        last = text.rstrip()[-1:]
        if part.cut and is_mark(last) and self._marker.goes_on(label_of(last)):
            return _abstained(CUT)
        return self._one_of(labels)

    def _in_announced(self, value: str) -> set[int]:
        """Labels alone after "Answer:", or affirmed by the first sentence after it."""
        first = SENTENCE.match(value)
        return self._alone(value) or (
            stances(f"is {first[0]}", self._marker.plain).affirmed if first else set()
        )

    def _alone(self, text: str) -> set[int]:
        """Labels alone at the beginning, at the end or on a line; then all that stand alone."""
        whole = self._marker.clause
        lines = [
            [one for one in map(stripped, CLAUSE.split(line)) if one] for line in text.splitlines()
        ]
        lines = [line for line in lines if line]
        if not lines:
            return set()
        last = [one for one in map(stripped, _PART.split(text)) if one][-1:]
        leading = [lines[0][0], *last, *(line[0] for line in lines if len(line) == 1)]
        if all(whole(one) is None for one in leading):
            return set()
        return {found for line in lines for one in line if (found := whole(one)) is not None}

    def _unnumbered(self, text: str) -> tuple[str, set[int]]:
        """The text without labels that may number lines or be common words; and those labels.

        "1. The text ...", "I, for one, ...", "No, it is ...".
        """
        weak: set[int] = set()

        def without(found: re.Match[str]) -> str:
            label = label_of(found[1])
            listed = found[2] != "," and _LISTED.fullmatch(self._marker.names[label])
            if not listed and (found[2] != "," or label not in self._marker.short):
                return found[0]
            weak.add(label)
            return ""

        return _NUMBERED.sub(without, text), weak

    def _stated(self, text: str, part: AnswerText) -> Reading:
        """From labels that stand alone and sentences about labels."""
        unnumbered, weak = self._unnumbered(text)
        affirmed, denied, named = stances(unnumbered, self._marker.plain)
        alone = self._alone(unnumbered)
        chosen = alone | affirmed or weak
        if chosen & denied:
            listed = self._marker.listed(chosen & denied)
            return _abstained(f"the reply both affirms and denies {listed}")
        if alone or weak:
            return self._whole_reply(chosen, part, text)
        if part.cut:
            return _abstained(CUT)
        chosen |= named - self._marker.short
        if chosen:
            chosen |= named
        if len(chosen) > 1 or affirmed:
            return self._one_of(chosen)
        if denied:
            return _abstained(f"the reply only denies {self._marker.listed(denied)}")
        if is_apology(part.text):
            return _abstained(REFUSED)
        only = f": {self._marker.listed(chosen)} is mentioned but not affirmed" if chosen else ""
        return _abstained(NO_LABEL + only)

    def _one_of(self, labels: set[int]) -> Reading:
        if len(labels) > 1:
            return _abstained(f"the reply names several labels: {self._marker.listed(labels)}")
        return Reading(next(iter(labels)), "")


def _values(announced: re.Pattern[str], text: str) -> Iterator[str]:
    """The rest of the line, or the next line, after each announcement.

    "" if the announcement is denied or a condition ("I doubt that the label is").
    """
    found = list(announced.finditer(text))
    ends = [*(one.start() for one in found[1:]), len(text)]
    for one, end in zip(found, ends, strict=False):
        before = re.split(r"[.!?\n]", text[max(0, one.start() - 60) : one.start()])[-1]
        value = text[one.end() : end].lstrip().partition("\n")[0].strip()
        yield "" if value and NEGATES.search(before) else value


def _aside(key: str) -> bool:
    """A key that does not introduce the answer ("rejected_label", "reasoning")."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).casefold()
    return any(_ASIDE.match(word) for word in re.split(r"[\W_]+", words))


def _abstained(reason: str) -> Reading:
    return Reading(ABSTAINED, reason)
