"""Mentions of a reply, put back on the tokens of the sentence.

Both are compared without white space, so that "Selegiline-induced" is found in the
tokens "Selegiline - induced" and "U.S." in "U . S .". A mention must begin and end
where tokens do; one that is part of a token ("Boston" in "Boston-based") is not
found: to widen or to drop it would be a choice between two answers.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from harness.iob2 import Span


class Mention(NamedTuple):
    """What a reply says: the words and the index of their entity type."""

    text: str
    type: int


@dataclass(frozen=True, slots=True)
class Aligned:
    """Mentions on tokens.

    Attributes:
        spans: in reading order, without overlaps.
        missing: mentions that are not in the sentence, in the reply's order.
        overlapping: mentions whose every place is taken by another one.
    """

    spans: tuple[Span, ...]
    missing: tuple[str, ...]
    overlapping: int


def align(tokens: Sequence[str], mentions: Sequence[Mention]) -> Aligned:
    """Place mentions in reading order.

    Each mention gets its first free place behind the one before it, else its first free
    place at all. Where only taken places are left, the longer mention keeps the place
    and the other looks for one elsewhere. Places are looked for as written; if there is
    none, without regard to case and to the form of quotes, dashes and brackets; if there
    is none, by letters and digits alone.
    """
    if not mentions:
        return Aligned((), (), 0)
    sentence = _Sentence(tokens)
    placed: list[tuple[Span, str]] = []
    missing: list[str] = []
    overlapping = 0
    cursor = 0
    for text, kind in mentions:
        places = sentence.places(text)
        if not places:
            missing.append(text)
            continue
        place = _free(places, placed, cursor)
        if place is None:
            place, evicted = _longer(places, placed)
            overlapping += 1 if place is None else len(evicted)
            placed = [one for one in placed if one not in evicted]
        else:
            evicted = []
        if place is None:
            continue
        placed.append((Span(*place, kind), text))
        cursor = place[1]
        for span, words in evicted:
            other = _free(sentence.places(words), placed, 0)
            if other is not None:
                placed.append((Span(*other, span.type), words))
                overlapping -= 1
    return Aligned(tuple(sorted(span for span, _ in placed)), tuple(missing), overlapping)


_Place = tuple[int, int]


class _Sentence:
    """A sentence as it is shown, and in three forms, each made when a mention asks for it."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        shown = " ".join(tokens)
        self._shown = f" {shown} " if shown.count(" ") == len(tokens) - 1 else ""
        self._forms: dict[int, tuple[str, dict[int, int], dict[int, int]]] = {}

    def places(self, text: str) -> list[_Place]:
        """Where the words stand, ascending, in the strictest form in which they do."""
        found = self._as_shown(text)
        for number, form in enumerate(_FORMS):
            if found:
                break
            words = form(text)
            found = self._find(words, number) if words else []
        return found

    def _as_shown(self, text: str) -> list[_Place]:
        """Places of words that are copied with the spaces between the tokens."""
        found = []
        count = text.count(" ") + 1
        position = self._shown.find(f" {text} ") if text else -1
        while position >= 0:
            begin = self._shown.count(" ", 0, position)
            found.append((begin, begin + count))
            position = self._shown.find(f" {text} ", position + 1)
        return found

    def _find(self, words: str, number: int) -> list[_Place]:
        if number not in self._forms:
            self._forms[number] = _joined(self._formed(number))
        joined, begins, ends = self._forms[number]
        found = []
        position = joined.find(words)
        while position >= 0:
            begin, end = begins.get(position), ends.get(position + len(words))
            if begin is not None and end is not None:
                found.append((begin, end))
            position = joined.find(words, position + 1)
        return found

    def _formed(self, number: int) -> Sequence[str]:
        if number == 0 and len("".join(self._tokens).split()) == 1:
            return self._tokens  # without white space they are as written
        return [_FORMS[number](token) for token in self._tokens]


def _joined(forms: Sequence[str]) -> tuple[str, dict[int, int], dict[int, int]]:
    """The forms without spaces; at which characters which token begins, and has ended.

    Tokens that are empty in this form (punctuation) belong to no mention.
    """
    rows = [row for row, form in enumerate(forms, start=1) if form]
    stops = list(accumulate(map(len, filter(None, forms))))
    ends = dict(zip(stops, rows, strict=True))
    begins = dict(zip([0, *stops], [row - 1 for row in rows], strict=False))
    return "".join(forms), begins, ends


def _free(
    places: Sequence[_Place], placed: Sequence[tuple[Span, str]], cursor: int
) -> _Place | None:
    """The first free place behind the cursor, else the first free one."""
    first: _Place | None = None
    for place in places:
        if not _clashes(place, placed):
            if place[0] >= cursor:
                return place
            first = first or place
    return first


def _longer(
    places: Sequence[_Place], placed: Sequence[tuple[Span, str]]
) -> tuple[_Place | None, list[tuple[Span, str]]]:
    """The first place where each mention in the way is shorter, and those mentions."""
    for begin, end in places:
        clashing = _clashes((begin, end), placed)
        if all(span.end - span.begin < end - begin for span, _ in clashing):
            return (begin, end), clashing
    return None, []


def _clashes(place: _Place, placed: Sequence[tuple[Span, str]]) -> list[tuple[Span, str]]:
    begin, end = place
    return [one for one in placed if one[0].begin < end and begin < one[0].end]


_SAME = str.maketrans(
    {
        **dict.fromkeys("“”„«»″", '"'),
        **dict.fromkeys("‘’‚`´′", "'"),
        **dict.fromkeys("‐‑‒–—−", "-"),
    }
)
_BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}"}


def _written(text: str) -> str:
    return "".join(text.split())


def _folded(text: str) -> str:
    """Without case; quotes, dashes and treebank brackets in one form."""
    folded = _written(unicodedata.normalize("NFKC", text).casefold()).translate(_SAME)
    for name, bracket in _BRACKETS.items():
        folded = folded.replace(name, bracket)
    return folded.replace("''", '"')


def _letters(text: str) -> str:
    return "".join(char for char in _folded(text) if char.isalnum())


_FORMS: tuple[Callable[[str], str], ...] = (_written, _folded, _letters)
