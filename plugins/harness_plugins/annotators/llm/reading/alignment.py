"""Mentions of a reply, put back on the tokens of the sentence.

Both are compared without white space, so that "Selegiline-induced" is found in the
tokens "Selegiline - induced" and "U.S." in "U . S .". A mention must begin and end
where tokens do; one that is part of a token ("Boston" in "Boston-based") is not
found: to widen or to drop it would be a choice between two answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from harness.iob2 import Span
from harness_plugins.annotators.llm.reading.marking import clean

Repeats = Literal["first", "all"]
"""What a mention that is listed once marks: its first place, or every place of its words."""


_Place = tuple[int, int]


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


def align(tokens: Sequence[str], mentions: Sequence[Mention], repeats: Repeats = "all") -> Aligned:
    """Place mentions in reading order.

    Each mention gets its first free place behind the one before it, else its first free
    place at all. Where only taken places are left, the longer mention keeps the place
    and the other looks for one elsewhere. Places are looked for as written; if there is
    none, without regard to case and to the form of quotes, dashes and brackets; if there
    is none, by letters and digits alone. A short mention with capitals is not found in
    words without ("US" in "us").

    Args:
        tokens: of the sentence.
        mentions: in the reply's order.
        repeats: "all": words that the reply lists once are marked wherever they stand free
            (annotators rarely mark only some of them: results/LOG.md).
    """
    if not mentions:
        return Aligned((), (), 0)
    board = _Board(tokens)
    for mention in mentions:
        board.put(mention)
    if repeats == "all":
        board.repeat(mentions)
    return Aligned(tuple(sorted(board.spans)), tuple(board.missing), board.overlapping)


class _Board:
    """Which tokens are taken by which mention."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._sentence = _Sentence(tokens)
        self._owner: list[tuple[Span, str] | None] = [None] * len(tokens)
        self._places: dict[str, list[_Place]] = {}
        self._used: Counter[str] = Counter()
        self._cursor = 0
        self.missing: list[str] = []
        self.overlapping = 0

    @property
    def spans(self) -> set[Span]:
        """Those placed so far."""
        return {owner[0] for owner in self._owner if owner}

    def put(self, mention: Mention) -> None:
        """Place one, where need be instead of shorter ones."""
        text, kind = mention
        places = self._places.get(text)
        if places is None:
            places = self._places[text] = self._sentence.places(text)
        if not places:
            self.missing.append(text)
            return
        place = self._free(text, self._cursor)
        evicted: list[tuple[Span, str]] = []
        if place is None:
            place, evicted = self._longer(text, places)
        if place is None:
            self.overlapping += 1
            return
        for span, words in evicted:
            self._set(span, words, None)
        self._set(Span(*place, kind), text, (Span(*place, kind), text))
        self._cursor = place[1]
        for span, words in evicted:
            other = self._free(words, 0)
            if other is None:
                self.overlapping += 1
            else:
                self._set(Span(*other, span.type), words, (Span(*other, span.type), words))

    def repeat(self, mentions: Sequence[Mention]) -> None:
        """Words that are listed once mark all their places that are free."""
        if all(len(places) < 2 for places in self._places.values()):
            return
        counts = Counter(mention.text for mention in mentions)
        placed = {owner[1]: owner[0].type for owner in self._owner if owner}
        once = [text for text in placed if counts[text] == 1]
        for text in sorted(once, key=len, reverse=True):
            while (place := self._free(text, 0)) is not None:
                span = Span(*place, placed[text])
                self._set(span, text, (span, text))

    def _free(self, text: str, cursor: int) -> _Place | None:
        """The first free place behind the cursor, else the first free one."""
        places = self._places[text]
        if self._used[text] >= len(places):
            return None
        first: _Place | None = None
        for place in places:
            if not any(self._owner[place[0] : place[1]]):
                if place[0] >= cursor:
                    return place
                first = first or place
        return first

    def _longer(
        self, text: str, places: Sequence[_Place]
    ) -> tuple[_Place | None, list[tuple[Span, str]]]:
        """The first place where each mention in the way is shorter, and those mentions."""
        for begin, end in places if self._used[text] < len(places) else ():
            clashing = {owner for owner in self._owner[begin:end] if owner}
            if all(span.end - span.begin < end - begin for span, _ in clashing):
                return (begin, end), sorted(clashing)
        return None, []

    def _set(self, span: Span, text: str, owner: tuple[Span, str] | None) -> None:
        self._owner[span.begin : span.end] = [owner] * (span.end - span.begin)
        self._used[text] += 1 if owner else -1


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
            if number and len(words) < _SAFE:
                found = [one for one in found if not self._loses_capitals(text, *one)]
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

    def _loses_capitals(self, text: str, begin: int, end: int) -> bool:
        return _capitals(text) and not _capitals("".join(self._tokens[begin:end]))

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
    folded = _written(clean(text).casefold()).translate(_SAME)
    for name, bracket in _BRACKETS.items():
        folded = folded.replace(name, bracket)
    return folded.replace("''", '"')


def _letters(text: str) -> str:
    """Without punctuation, but for signs that make another name ("C++", "CD4-")."""
    folded = _folded(text)
    if folded[-1:] in _SIGNS or folded[:1] in _SIGNS:
        return folded
    return "".join(char for char in folded if char.isalnum() or char in "+#*%")


def _capitals(text: str) -> bool:
    return any(map(str.isupper, text))


_SIGNS = ("+", "-", "#", "*", "%")
_SAFE = 5
"""Letters from which a mention is hardly another word in capitals ("US", "May", "Will")."""
_FORMS: tuple[Callable[[str], str], ...] = (_written, _folded, _letters)
