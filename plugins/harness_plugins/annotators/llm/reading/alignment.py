"""Finds the mentions of a reply among the tokens of the sentence, ignoring white space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from harness.iob2 import Span
from harness_plugins.annotators.llm.reading.marking import clean

Repeats = Literal["first", "all"]
"""What a mention that a reply lists once marks: its first place, or all of them."""

_Place = tuple[int, int]
_Owner = tuple[Span, str]


class Mention(NamedTuple):
    """Words of a reply and the index of their entity type."""

    text: str
    type: int


@dataclass(frozen=True, slots=True)
class Aligned:
    """Mentions on tokens, in reading order and without overlaps, and those without a place.

    ``missing`` are not in the sentence; of ``overlapping`` others, all places were taken.
    """

    spans: tuple[Span, ...]
    missing: tuple[str, ...]
    overlapping: int


def align(tokens: Sequence[str], mentions: Sequence[Mention], repeats: Repeats = "all") -> Aligned:
    """Place mentions in reading order.

    Each mention gets its first free place after the previous mention, else its first free
    place in the sentence. If all its places are taken, it replaces shorter mentions, which
    move to a free place. The search compares texts as written; then without case and the form
    of quotes, dashes and brackets; then by letters and digits alone. A short mention with
    capitals does not match words without them ("US" in "us"). With ``repeats="all"``, words that
    the reply lists once are marked at every free place.
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
    """Which mention owns which token."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._sentence = _Sentence(tokens)
        self._owner: list[_Owner | None] = [None] * len(tokens)
        self._places: dict[str, list[_Place]] = {}
        self._used: Counter[str] = Counter()
        self._cursor = 0
        self.missing: list[str] = []
        self.overlapping = 0

    @property
    def spans(self) -> set[Span]:
        return {owner[0] for owner in self._owner if owner}

    def put(self, mention: Mention) -> None:
        """Place one mention, if necessary in place of shorter ones."""
        text, kind = mention
        if text not in self._places:
            self._places[text] = self._sentence.places(text)
        if not self._places[text]:
            self.missing.append(text)
            return
        place = self._free(text, self._cursor)
        evicted: list[_Owner] = []
        if place is None:
            place, evicted = self._longer(text)
        if place is None:
            self.overlapping += 1
            return
        for span, words in evicted:
            self._set(span, words, taken=False)
        self._set(Span(*place, kind), text)
        self._cursor = place[1]
        for span, words in evicted:
            other = self._free(words, 0)
            if other is None:
                self.overlapping += 1
            else:
                self._set(Span(*other, span.type), words)

    def repeat(self, mentions: Sequence[Mention]) -> None:
        """Mark every free place of words that the reply lists once."""
        if all(len(places) < 2 for places in self._places.values()):
            return
        counts = Counter(mention.text for mention in mentions)
        placed = {owner[1]: owner[0].type for owner in self._owner if owner}
        once = [text for text in placed if counts[text] == 1]
        for text in sorted(once, key=len, reverse=True):
            while (place := self._free(text, 0)) is not None:
                self._set(Span(*place, placed[text]), text)

    def _free(self, text: str, cursor: int) -> _Place | None:
        """The first free place after the cursor, else the first free one."""
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

    def _longer(self, text: str) -> tuple[_Place | None, list[_Owner]]:
        """The first place that only shorter mentions occupy, and those mentions."""
        places = self._places[text]
        for begin, end in places if self._used[text] < len(places) else ():
            clashing = {owner for owner in self._owner[begin:end] if owner}
            if all(span.end - span.begin < end - begin for span, _ in clashing):
                return (begin, end), sorted(clashing)
        return None, []

    def _set(self, span: Span, text: str, *, taken: bool = True) -> None:
        owner = (span, text) if taken else None
        self._owner[span.begin : span.end] = [owner] * (span.end - span.begin)
        self._used[text] += 1 if taken else -1


class _Sentence:
    """A sentence as the prompt shows it, and in three forms, each made when first needed."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        shown = " ".join(tokens)
        self._shown = f" {shown} " if shown.count(" ") == len(tokens) - 1 else ""
        self._forms: dict[int, tuple[str, dict[int, int], dict[int, int]]] = {}

    def places(self, text: str) -> list[_Place]:
        """Places of the words, ascending, in the strictest form that has any."""
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
        """Places of words that the reply copied with the spaces between tokens."""
        count = text.count(" ") + 1
        positions = _occurrences(f" {text} ", self._shown) if text else ()
        begins = (self._shown.count(" ", 0, position) for position in positions)
        return [(begin, begin + count) for begin in begins]

    def _loses_capitals(self, text: str, begin: int, end: int) -> bool:
        return _capitals(text) and not _capitals("".join(self._tokens[begin:end]))

    def _find(self, words: str, number: int) -> list[_Place]:
        if number not in self._forms:
            self._forms[number] = _joined([_FORMS[number](token) for token in self._tokens])
        joined, begins, ends = self._forms[number]
        found = []
        for position in _occurrences(words, joined):
            begin, end = begins.get(position), ends.get(position + len(words))
            if begin is not None and end is not None:
                found.append((begin, end))
        return found


def _occurrences(words: str, text: str) -> Iterator[int]:
    position = text.find(words)
    while position >= 0:
        yield position
        position = text.find(words, position + 1)


def _joined(forms: Sequence[str]) -> tuple[str, dict[int, int], dict[int, int]]:
    """The joined forms, the token that begins at a character, and the one that ends there.

    No mention begins or ends with a token that is empty in this form (punctuation).
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
"""From so many letters on, capitals need not match (unlike "US", "May", "Will")."""
_FORMS: tuple[Callable[[str], str], ...] = (_written, _folded, _letters)
