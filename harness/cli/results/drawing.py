"""``harness table`` on a terminal: no number breaks, too wide a table is drawn in parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from harness.cli.screen.tables import titled

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from harness.report.tables import Table

LONGEST = 16
"""Letters of a word in a row's name that stay on one line however narrow the terminal is."""
GAP = 2


def results_table(table: Table, width: int) -> Group:
    """The table, in as many parts below each other as the width needs, and its notes."""
    names, values, heads = table.names(), table.values(), table.header[len(table.keys) :]
    columns = [[key, *(row[at] for row in names)] for at, key in enumerate(table.keys)]
    starts = [0]
    for block in table.blocks():
        starts.append(starts[-1] + len(block))
    wide = [max([len(head), *(len(row[at][0]) for row in values)]) for at, head in enumerate(heads)]
    blocks = [list(range(first, end)) for first, end in pairwise(starts)]
    widths = [max(map(len, texts)) for texts in columns]
    room, parts = _laid_out(widths, [_least(texts) for texts in columns], blocks, wide, width)
    drawn: list[RenderableType] = [Text(table.title, style="bold")]
    drawn += [_drawn(table, room, part) for part in parts]
    return Group(*drawn, *(Text(note, style="dim") for note in table.notes))


def _least(texts: Sequence[str]) -> int:
    """How narrow a column of names can be: they break at spaces and hyphens."""
    words = (word for text in texts for word in wrap(text, 1, break_long_words=False))
    return min(LONGEST, max(map(len, words), default=1))


def _laid_out(
    widths: Sequence[int],
    least: Sequence[int],
    blocks: Sequence[list[int]],
    wide: Sequence[int],
    width: int,
) -> tuple[list[int], list[list[int]]]:
    """Widths of the names' columns and columns of each part: few parts, then wide names."""
    room, found = list(widths), list[tuple[list[int], list[list[int]]]]()
    while True:
        left = width - sum(room) - GAP * (len(room) - 1)
        found.append((list(room), _parts(blocks, wide, left)))
        spare = [now - most for now, most in zip(room, least, strict=True)]
        if max(spare) <= 0:
            break
        room[spare.index(max(spare))] -= 1
    # Names that leave no room for a number come last.
    return min(found, key=lambda one: (_cut(one, wide, width), len(one[1])))


def _cut(one: tuple[list[int], list[list[int]]], wide: Sequence[int], width: int) -> bool:
    room, parts = one
    return any(sum(room) + GAP * len(room) + _wide(part, wide) - GAP > width for part in parts)


def _wide(columns: Sequence[int], wide: Sequence[int]) -> int:
    return sum(wide[column] + GAP for column in columns)


def _parts(blocks: Sequence[list[int]], wide: Sequence[int], room: int) -> list[list[int]]:
    """Columns of each part: a value stays with its difference where there is room for both."""
    units = []
    for block in blocks:
        fits = _wide(block, wide) <= room
        units += [block] if fits else [[column] for column in block]
    parts: list[list[int]] = []
    for unit in units:
        if parts and _wide([*parts[-1], *unit], wide) <= room:
            parts[-1] += unit
        else:
            parts.append(list(unit))
    return parts or [[]]


def _drawn(table: Table, room: Sequence[int], part: Sequence[int]) -> RichTable:
    # The box puts a space of its own between two columns.
    drawn = titled("", padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    drawn.title = None
    for name, width in zip(table.keys, room, strict=True):
        drawn.add_column(name, overflow="fold", max_width=width)
    for column in part:
        drawn.add_column(table.header[len(table.keys) + column], justify="right", no_wrap=True)
    for keys, row in zip(table.names(), table.values(), strict=True):
        names = ("\n".join(wrap(key, width)) for key, width in zip(keys, room, strict=True))
        cells = [Text(row[at][0], style="bold" if row[at][1] else "") for at in part]
        drawn.add_row(*map(Text, names), *cells)
    return drawn
