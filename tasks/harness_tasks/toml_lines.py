"""On which line of a TOML file each key stands, which ``tomllib`` does not tell.

The text is known to be valid TOML, so that strings, brackets and comments can be skipped
without checking them: tables, arrays of tables, dotted keys, inline tables and arrays over
several lines are followed, each element with its index.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

__all__ = ["KeyPath", "key_lines", "line_of"]

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the top of the document, such as ``("labels", 1, "name")``."""

_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""(?!")))*"""|' + r"'''(?:[^']|'(?!''(?!')))*'''"
    r"|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'",
    re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^\s,\]}#]+(?: [0-9:.]+[^\s,\]}#]*)?")
"""A number, a boolean or a date, which may have one space before its time."""


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line (from 1) of every key, table and array element of a valid TOML document."""
    return _Scanner(text).document()


def line_of(lines: Mapping[KeyPath, int], path: Sequence[str | int]) -> int | None:
    """The line of a key, or of the nearest table that encloses it; None at the top."""
    for length in range(len(path), 0, -1):
        line = lines.get(tuple(path[:length]))
        if line is not None:
            return line
    return None


class _Scanner:
    """Walks over the text once; ``at`` is the position."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text.replace("\r\n", "\n"), 0
        self.lines: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._skip_blank() < len(self.text):
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _header(self) -> KeyPath:
        line, array = self._line(), self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        path = self._resolved(self._key(), last=not array)
        for length in range(1, len(path)):
            self._note(path[:length], line)
        if array:
            count = self.counts[path] = self.counts.get(path, -1) + 1
            self._note(path, line)
            path = (*path, count)
        self._skip_blank()
        self.at += 2 if array else 1
        self._note(path, line)
        return path

    def _resolved(self, keys: KeyPath, *, last: bool) -> KeyPath:
        """A header's keys with the current index of each array of tables that they enter."""
        path: KeyPath = ()
        for position, key in enumerate(keys, start=1):
            path = (*path, key)
            if path in self.counts and (last or position < len(keys)):
                path = (*path, self.counts[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = (*table, *self._key())
        for length in range(len(table) + 1, len(path) + 1):
            self._note(path[:length], line)
        self._skip_blank()
        self.at += 1  # the equals sign
        self._value(path)

    def _key(self) -> KeyPath:
        keys: list[str] = []
        while True:
            self._skip_blank()
            string = _STRING.match(self.text, self.at)
            found = string or _BARE.match(self.text, self.at)
            if found is None:
                raise ValueError(f"no key on line {self._line()}")
            keys.append(_unquoted(found.group()) if string else found.group())
            self.at = found.end()
            self._skip_blank()
            if self._peek() != ".":
                return tuple(keys)
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        opening = self._peek()
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            found = _STRING.match(self.text, self.at) or _PLAIN.match(self.text, self.at)
            if found is None:
                raise ValueError(f"no value on line {self._line()}")
            self.at = found.end()

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while self._skip_blank() < len(self.text) and self._peek() != "]":
            self._note((*path, index), self._line())
            self._value((*path, index))
            self._skip_comma()
            index += 1
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while self._skip_blank() < len(self.text) and self._peek() != "}":
            self._pair(path)
            self._skip_comma()
        self.at += 1

    def _skip_comma(self) -> None:
        self._skip_blank()
        if self._peek() == ",":
            self.at += 1

    def _skip_blank(self) -> int:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def _note(self, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)


def _unquoted(string: str) -> str:
    import tomllib

    return str(tomllib.loads(f"key = {string}")["key"])
