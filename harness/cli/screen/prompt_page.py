"""What ``harness show prompt`` prints."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from harness.files.printable import printable

WIDTH = 80
"""Columns."""
BEGINS, GOES_ON = "| ", ": "


def prompt_page(head: Mapping[str, object], messages: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The lines of a page: a head of keys and values, then each message with its role."""
    for key, value in head.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield from _wrapped(printable(f"{key}: {text or 'none'}"), "", "  ")
    for number, (role, content) in enumerate(messages, start=1):
        yield ""
        yield f"--- {number} {role} ".ljust(WIDTH, "-")
        for line in printable(content).split("\n"):
            yield from _wrapped(line, BEGINS, GOES_ON)
    yield "-" * WIDTH
    yield f"{len(messages)} messages; {BEGINS.strip()!r} begins a line, {GOES_ON.strip()!r} goes on"


def _wrapped(line: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(
        line,
        WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    ) or [first.rstrip()]
