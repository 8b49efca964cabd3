"""Finds names (of labels, of entity types) in a text.

A name is looked up as written, then without case, then without spacing; a form that two names
share matches neither. In a text, each mention of a label becomes one private-use character, so
that readers need not know the words, spaces or punctuation of labels. The longest label comes
first, and only whole words match: "entity" is not in "identity", "C" is not in "C++".
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from harness.errors import TaskError

_FIRST = 0xF0000
MARK = "[\U000f0000-\U000ffffd]"
"""A regular expression for a mention."""
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Characters of scripts without spaces between words, or with joined particles."""

_COMBINING = "".join(
    char
    for char in map(chr, range(0x300, 0x1DFF))
    if unicodedata.category(char)[0] == "M" and not re.match(f"[{UNSPACED}]", char)
)
_WORD = f"(?:[^\\W{UNSPACED}]|[{_COMBINING}])"
_LEFT = rf"(?<!{_WORD})(?<!{_WORD}-)(?<!(?<!\.)\.)"
_RIGHT = rf"(?!{_WORD}|[+#]|\*(?!\*)|-(?!-)|['’]\w|\.[a-z\d]|[,/]\d|%)"
_NUMBER_LEFT = rf"(?<!{_WORD})(?<![.,+/-])"
_NUMBER_RIGHT = rf"(?!{_WORD}|%|[.,/+-]+\d)"

_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
_INVISIBLE = re.compile(
    "[\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufe0e\ufe0f]"
    "|(?<=\\w)\u200d(?=\\w)"
)
_DASHES = str.maketrans("‐‑−’", "---'")
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~|<del>[^<\n]{1,200}</del>")
_EMPHASIS = re.compile(
    r"(?<!\w)_+|(?<!_)_+(?!\w)|(?<![\w*])(\*{1,3})(?![\s*])([^*\n]{1,100})(?<!\s)\1"
)
_MARKDOWN = re.compile(
    r"""\*\*|^[^\S\n]*(?:[*•>-][^\S\n]|[\#>]+)|[`"“”«»„$]|(?<!\w)['‘’]|['‘’](?!\w)""",
    re.MULTILINE,
)
_TAG = re.compile(r"</?[A-Za-z][\w -]{0,30}/?>")
_BOXED = re.compile(r"\\(?:boxed|text|textbf|mathrm)\s{0,9}\{")
_SEPARATOR = re.compile(r"(?<=\w)(?:[^\S\n]|[_-])+(?=\w)")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_SIGNS = "_❌✗✘☐¬≠"
_LONGEST = 200
"""Characters of the longest text that may be a label as a whole."""


class Names:
    """Looks up names by their index.

    Raises:
        TaskError: if two names differ in nothing but the spaces around them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        bare = [name.strip() for name in names]
        if twice := [name for name, count in Counter(bare).items() if count > 1]:
            raise TaskError(
                f"two labels of the task are called {twice[0]!r} (apart from spaces around it), "
                "so no reply can tell them apart; rename one"
            )
        distinct = len(set(map(clean, bare))) == len(bare)
        self.clean: Callable[[str], str] = clean if distinct else str
        self._tables: list[dict[str, int | None]] = []
        for keys in zip(*map(self._forms, bare), strict=True):
            counts = Counter(keys)
            self._tables.append(
                {key: i if counts[key] == 1 else None for i, key in enumerate(keys) if key}
            )

    def find(self, text: str) -> int | None:
        """The index of the name that equals the text in the strictest form that matches."""
        exact = self._tables[0].get(text) if self._tables else None
        if exact is not None:
            return exact
        if len(text) <= _LONGEST:
            for table, key in zip(self._tables, self._forms(text.strip()), strict=True):
                if key in table:
                    return table[key]
        return None

    def distinct(self, name: str) -> tuple[bool, bool]:
        """Whether the name stays unique without case, and also without separators."""
        tables = zip(self._tables, self._forms(name.strip()), strict=True)
        found = [table.get(key) is not None for table, key in tables]
        return found[2], found[3]

    def _forms(self, text: str) -> tuple[str, str, str, str]:
        """The text as written, then in ever less strict forms."""
        normal = self.clean(text)
        folded = normal.casefold()
        return text, normal, folded, _SEPARATOR.sub("", folded)


class Marker:
    """Marks the labels of a task in texts."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._lookup = Names(labels)
        self.names = [self._lookup.clean(label.strip()) for label in labels]
        indices = range(len(labels))
        numbers = {i for i in indices if _NUMBER.fullmatch(self.names[i])}
        short = {i for i in indices if len(self.names[i]) <= 2} - numbers
        self.short = {i for i in short if not re.search(f"[{UNSPACED}]", self.names[i])}
        """Labels that may be common words in prose ("A", "no")."""
        self.plain = self.short | numbers
        """Those and numbers."""
        self._numbers = numbers
        self._mention = re.compile("|".join(self._patterns()))

    def marked(self, text: str) -> str:
        """The text with marks for mentions, and without Markdown, quotes and tags."""
        text = _STRUCK.sub("", _PRIVATE.sub("", self._lookup.clean(text)))
        text = _EMPHASIS.sub(r"\2", text)
        text = _BOXED.sub(" final answer: ", text)
        text = self._mention.sub(lambda found: chr(_FIRST + int(str(found.lastgroup)[1:])), text)
        return _MARKDOWN.sub("", _TAG.sub("\n", text))

    def whole(self, text: str) -> int | None:
        """The label that equals the text apart from case, quotes, Markdown and separators."""
        if len(text) > _LONGEST:
            return None
        found = self._lookup.find(text)
        return self.clause(stripped(self.marked(text))) if found is None else found

    def clause(self, text: str) -> int | None:
        """The label that a stripped part of a marked text is."""
        if is_mark(text):
            return label_of(text)
        found = self._lookup.find(text)
        return None if len(text) == 1 or found in self._numbers else found

    def goes_on(self, label: int) -> bool:
        """Whether another label begins with this one: a text that was cut off may mean that one."""
        own = _joined(self.names[label])
        return sum(_joined(name).startswith(own) for name in self.names) > 1

    def listed(self, labels: Iterable[int]) -> str:
        """Names of the labels, for messages."""
        return ", ".join(self.names[label] for label in sorted(labels))

    def _patterns(self) -> list[str]:
        """Patterns grouped by what must precede them, the longest label first."""
        groups: dict[str, list[str]] = {}
        for i in sorted(range(len(self.names)), key=lambda i: -len(self.names[i])):
            name = self.names[i]
            left, right = _LEFT, _RIGHT
            if i in self._numbers:
                left, right = _NUMBER_LEFT, _NUMBER_RIGHT
            left = "" if re.match(f"[{UNSPACED}]", name) else left
            right = "" if re.search(f"[{UNSPACED}]\\Z", name) else right
            groups.setdefault(left, []).append(f"(?P<l{i}>{self._body(i)}){right}")
        return [f"{left}(?:{'|'.join(names)})" for left, names in groups.items()]

    def _body(self, index: int) -> str:
        name = self.names[index]
        any_case, any_space = self._lookup.distinct(name)
        body = re.escape(name)
        if any_space and index not in self._numbers:
            body = r"(?:[^\S\n]|[_-])+".join(map(re.escape, _SEPARATOR.split(name)))
        if index in self.short and any_case and len(name) == 2 and name.islower():
            return "|".join(map(re.escape, (name, name.capitalize(), name.upper())))
        return f"(?i:{body})" if any_case and index not in self.short else body


def is_mark(text: str) -> bool:
    """Whether the text is exactly one mark."""
    return len(text) == 1 and 0 <= ord(text) - _FIRST < 0xFFFE


def label_of(mark: str) -> int:
    """The class index of a mark."""
    return ord(mark) - _FIRST


def stripped(text: str) -> str:
    """Without punctuation, emoji and space around it; signs of words and numbers stay."""
    begin, end = 0, len(text)
    while begin < end and not _inner(text[begin]):
        begin += 1
    while begin < end and not _inner(text[end - 1]):
        end -= 1
    if text[begin : begin + 1].isdigit() and text[begin - 1 : begin] in ("+", "-", "."):
        begin -= 1
    while text[end : end + 1] in ("+", "-", "#", "*", "%") and not is_mark(text[end - 1 : end]):
        end += 1
    return text[begin:end]


def clean(text: str) -> str:
    """One form for texts that look the same (width, HTML entities, invisible characters)."""
    if "&" in text and ";" in text:
        text = html.unescape(text)
    if text.isascii():
        return text
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_DASHES)


def _joined(text: str) -> str:
    """The name without case and separators."""
    return _SEPARATOR.sub("", text.casefold())


def _inner(char: str) -> bool:
    """Whether a character belongs to a word, is a mark, or is a sign of denial."""
    return char.isalnum() or char in _SIGNS or is_mark(char) or unicodedata.category(char)[0] == "M"
