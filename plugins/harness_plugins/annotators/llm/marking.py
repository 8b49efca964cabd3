"""Finds the names of labels in a text, before anything is made of its sentences.

Each mention becomes one character of a private-use plane, so that what reads the text
need not care which words, spaces or punctuation a label is made of. The longest label
is found first and only between boundaries of words: "entity" is not in "identity", and
"subjective" is not in "not subjective" where that is a label.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

_FIRST = 0xF0000
MARK = "[\U000f0000-\U000ffffd]"
"""A regular expression for a mention."""

_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
_EDGES = re.compile("^[^\\w\U000f0000-\U000ffffd+-]+|[^\\w\U000f0000-\U000ffffd+]+$")
_EMPHASIS = re.compile(r"\b_+|_+\b")
_MARKDOWN = re.compile(
    r"""[*`"“”«»„$]|(?<!\w)['‘’]|['‘’](?!\w)|^\s*(?:\#+|>+)\s*""", re.VERBOSE | re.MULTILINE
)
_TAG = re.compile(r"</?[A-Za-z][\w -]{0,30}/?>")
_BOXED = re.compile(r"\\(?:boxed|text|textbf|mathrm)\s*\{")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_LONGEST = 200
"""Characters of a reply that may be a label as a whole."""


class Marker:
    """Marks the labels of a task.

    Args:
        labels: the label set, in class order.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.names = [_normal(label) for label in labels]
        folded = [label.casefold() for label in self.names]
        indices = range(len(self.names))
        self.short = {i for i in indices if len(self.names[i]) <= 2 and not _is_number(labels[i])}
        """Labels that may be words of their own in prose ("A", "no")."""
        exact = self.short | {i for i in indices if folded.count(folded[i]) > 1}
        keys = {i: _spelled(self.names[i]) for i in indices if not _is_number(labels[i])}
        self._whole = {
            key: i for i, key in keys.items() if key and list(keys.values()).count(key) == 1
        }
        order = sorted(indices, key=lambda i: -len(self.names[i]))
        self._groups = {f"l{i}": chr(_FIRST + i) for i in order}
        self._mention = re.compile(
            "|".join(f"(?P<l{i}>{_pattern(self.names[i], exact=i in exact)})" for i in order)
        )

    def marked(self, text: str) -> str:
        """The text with its mentions marked, without Markdown, quotes and tags."""
        text = _EMPHASIS.sub("", _PRIVATE.sub("", _normal(text)))
        text = _BOXED.sub(" final answer: ", text)
        text = self._mention.sub(lambda found: self._groups[str(found.lastgroup)], text)
        return _MARKDOWN.sub("", _TAG.sub("\n", text))

    def whole(self, text: str) -> int | None:
        """The label that a text is, but for case, quotes, Markdown and separators."""
        if len(text) > _LONGEST:
            return None
        bare = stripped(self.marked(text))
        return label_of(bare) if is_mark(bare) else self._whole.get(_spelled(text.strip()))

    def clause(self, text: str) -> int | None:
        """The same for a stripped part of a marked text."""
        return label_of(text) if is_mark(text) else self._whole.get(_spelled(text))

    def goes_on(self, label: int) -> bool:
        """Another label begins with this one, so that a text cut off may have meant it."""
        own = squashed(self.names[label])
        others = (name for i, name in enumerate(self.names) if i != label)
        return any(squashed(other).startswith(own) for other in others)

    def listed(self, labels: Iterable[int]) -> str:
        """Their names, for a reason."""
        return ", ".join(self.names[label] for label in sorted(labels))


def is_mark(text: str) -> bool:
    """Whether a text is a mention and nothing else."""
    return len(text) == 1 and ord(text) >= _FIRST


def label_of(mark: str) -> int:
    """The class index that a mention stands for."""
    return ord(mark) - _FIRST


def stripped(text: str) -> str:
    """Without punctuation, emoji and space around it; signs of numbers stay."""
    return _EDGES.sub("", text)


@lru_cache(4096)
def squashed(text: str) -> str:
    """Letters and digits alone, without case: for the names of keys and types."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())


def _spelled(text: str) -> str:
    """The same name however it is spaced: without case, spaces, hyphens and underscores."""
    folded = unicodedata.normalize("NFKC", _EDGES.sub("", text)).casefold()
    return re.sub(r"[^\S\n]|[_-]", "", folded)


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _is_number(label: str) -> bool:
    return _NUMBER.fullmatch(label) is not None


def _pattern(label: str, *, exact: bool) -> str:
    """A regular expression for a label between boundaries of words and numbers."""
    if _is_number(label):
        return rf"(?<![\w.,+/-]){re.escape(label)}(?![\w%]|[.,/+-]+\d)"
    pieces = [re.escape(piece) for piece in re.split(r"[\s_-]+", label) if piece]
    body = r"(?:[^\S\n]|[_-])+".join(pieces) or re.escape(label)
    left = r"(?<!\w)(?<!\w-)" if label[:1].isalnum() else ""
    right = r"(?!\w|-\w|['’]\w)" if label[-1:].isalnum() else ""
    return f"{left}{body}{right}" if exact else f"{left}(?i:{body}){right}"
