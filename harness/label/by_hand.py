"""What a person wrote as the answer for a row: a label, or the mentions of a text.

Mentions are written as marks in the text, ``[Ann Stone](person) left``, or as the spans that the
program itself writes, ``[{"start": 0, "end": 9, "type": "person"}]``, in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

from harness.data import Kind
from harness.label.words import words

Spans: TypeAlias = tuple[Mapping[str, Any], ...]
"""Mentions in their order, each with ``start``, ``end``, ``type`` and ``text``."""
Answer: TypeAlias = str | Spans
Places: TypeAlias = Sequence[tuple[int, int]]
"""``[start, end)`` of each token in a text."""

_MARK = re.compile(r"\[([^\[\]]+)\]\(([^()\[\]]+)\)")


def answer_of(
    value: Any, text: str, labels: Sequence[str], kind: Kind, places: Places | None = None
) -> Answer | None:
    """The answer in a cell; None in an empty one.

    Args:
        value: the cell.
        text: of the row.
        labels: of the task, or its entity types; capitals make no difference.
        kind: of the task.
        places: of the tokens in the text, at which mentions begin and end; None: its words.

    Raises:
        ValueError: saying what is wrong.
    """
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return None
    names = {name.casefold(): name for name in labels}
    if kind == "sequence":
        return _named(str(value), names)
    if isinstance(value, str) and value.startswith("["):
        value = _from_json(value)
    spans = _marked(value, text) if isinstance(value, str) else list(_spans(value, text))
    found = [span | {"type": _named(str(span["type"]), names)} for span in spans]
    tags_of(text, found, places)
    return tuple(found)


def marked(text: str, spans: Sequence[Mapping[str, Any]]) -> str:
    """The text with its mentions marked, to be read and changed by a person."""
    parts, place = [], 0
    for span in spans:
        begin, end = span["start"], span["end"]
        parts += [text[place:begin], f"[{text[begin:end]}]({span['type']})"]
        place = end
    return "".join([*parts, text[place:]])


def tags_of(
    text: str, spans: Sequence[Mapping[str, Any]], places: Places | None = None
) -> list[str]:
    """The IOB2 tags of the tokens at some places of a text; None: of its words.

    Raises:
        ValueError: if a mention does not begin and end with a word, or touches another one.
    """
    places = words(text)[1] if places is None else places
    begins = {begin: row for row, (begin, _) in enumerate(places)}
    ends = {end: row for row, (_, end) in enumerate(places)}
    tags = ["O"] * len(places)
    for span in spans:
        first, last = begins.get(span["start"]), ends.get(span["end"])
        said = repr(text[span["start"] : span["end"]])
        if first is None or last is None or last < first:
            raise ValueError(f"the mention {said} does not begin and end with a word")
        if set(tags[first : last + 1]) != {"O"}:
            raise ValueError(f"the mention {said} lies in another one")
        kind = span["type"]
        tags[first : last + 1] = [f"B-{kind}", *[f"I-{kind}"] * (last - first)]
    return tags


def places_of(text: str, tokens: Sequence[str]) -> Places:
    """Where the tokens of a text stand in it, whatever spaces are between them."""
    signs = [place for place, sign in enumerate(text) if not sign.isspace()]
    ends = list(accumulate(len(dense(token)) for token in tokens))
    begins = [0, *ends[:-1]]
    return [(signs[begin], signs[end - 1] + 1) for begin, end in zip(begins, ends, strict=True)]


def dense(text: str) -> str:
    """A text without its spaces, which spreadsheets and tokenizers change."""
    return "".join(text.split())


def _named(name: str, names: Mapping[str, str]) -> str:
    if name.casefold() not in names:
        raise ValueError(f"{name[:40]!r} is none of {', '.join(names.values())}")
    return names[name.casefold()]


def _from_json(value: str) -> Any:
    """The spans of a cell; the cell itself where it is a text that begins with a bracket."""
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, list) else value


def _spans(value: Any, text: str) -> Iterator[dict[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("neither a text with marks nor a list of spans")
    for span in value:
        try:
            begin, end, kind = int(span["start"]), int(span["end"]), span["type"]
        except (KeyError, TypeError, ValueError):
            raise ValueError("a span without start, end and type") from None
        if not 0 <= begin < end <= len(text):
            raise ValueError(f"a span from {begin} to {end} in a text of {len(text)} characters")
        yield {"start": begin, "end": end, "type": kind, "text": text[begin:end]}


def _marked(value: str, text: str) -> list[dict[str, Any]]:
    """The spans of a text with marks; spaces may be others than those of the text."""
    places = [place for place, sign in enumerate(text) if not sign.isspace()]
    plain, found, done = "", [], 0
    for mark in _MARK.finditer(value):
        plain += dense(value[done : mark.start()])
        begin, done = len(plain), mark.end()
        plain += dense(mark[1])
        if begin < len(plain) <= len(places):
            start, end = places[begin], places[len(plain) - 1] + 1
            kind = mark[2].strip()
            found.append({"start": start, "end": end, "type": kind, "text": text[start:end]})
    if plain + dense(value[done:]) != dense(text):
        raise ValueError("the text without its marks is not the text of the row")
    return found
