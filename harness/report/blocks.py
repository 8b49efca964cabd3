"""Tables inside a Markdown file: blocks between two marks, of which the first has the command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.errors import CommandError

BEGIN, END = "<!-- harness table", "<!-- end -->"
_BLOCK = re.compile(rf"^{BEGIN}(?P<args>[^\n]*?) *-->\n(?P<body>.*?)^{END}", re.S | re.M)


@dataclass(frozen=True, slots=True)
class Block:
    """One table of a file.

    Attributes:
        line: of its first mark, from 1.
        arguments: of ``harness table``.
        start, end: of what stands between the marks.
    """

    line: int
    arguments: tuple[str, ...]
    start: int
    end: int


def find_blocks(text: str, file: str) -> Iterator[Block]:
    """The blocks of a file's text; a ``CommandError`` without any, or for one without its end."""
    found = list(_BLOCK.finditer(text))
    begun = [one.start() for one in re.finditer(rf"^{BEGIN}\b", text, re.M)]
    starts = [one.start() for one in found]
    for at in begun or [0]:
        if at not in starts:
            problem = f"this block has no {END} line" if begun else f"has no {BEGIN} ARGS --> line"
            raise CommandError(f"{file}:{_line(text, at)}: {problem}")
    for one in found:
        try:
            arguments = tuple(shlex.split(one["args"]))
        except ValueError as error:
            raise CommandError(f"{file}:{_line(text, one.start())}: {error}") from None
        yield Block(_line(text, one.start()), arguments, one.start("body"), one.end("body"))


def rewritten(
    text: str, blocks: list[Block], make: Callable[[Block], str]
) -> tuple[str, list[int]]:
    """The text with blocks made anew, and the lines of those that did not match."""
    changed = []
    for block in reversed(blocks):
        body = f"{make(block)}\n"
        if text[block.start : block.end] != body:
            changed.append(block.line)
        text = text[: block.start] + body + text[block.end :]
    return text, sorted(changed)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
