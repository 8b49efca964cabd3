"""``harness table`` on a terminal: no number breaks, too wide a table is drawn in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from harness.cli.screen.tables import titled

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from harness.report.sweep_table import SweepTable
    from harness.report.tables import Table

LONGEST = 16
"""Letters of a word in a row's name that stay on one line however narrow the terminal is."""
GAP = 2


@dataclass(frozen=True, slots=True)
class _Grid:
    """Texts to lay out: names of rows below ``keys``; values, and whether each is in bold.

    ``blocks``: the headings of columns that stay together where there is room.
    """

    title: str
    keys: Sequence[str]
    blocks: Sequence[Sequence[str]]
    names: Sequence[Sequence[str]]
    values: Sequence[Sequence[tuple[str, bool]]]
    notes: Sequence[str]

    @property
    def heads(self) -> list[str]:
        """The headings of the values."""
        return [name for block in self.blocks for name in block]


def results_table(table: Table, width: int) -> Group:
    """The table, in as many parts below each other as the width needs, and its notes."""
    parts = (table.title, table.keys, table.blocks(), table.names(), table.values(), table.notes)
    return _picture(_Grid(*parts), width)


def sweep_picture(table: SweepTable, name: str, width: int) -> Group:
    """The table of a sweep, likewise."""
    key, *heads = table.header()
    count, rows = len(table.stages), table.texts()
    blocks = [*([head] for head in heads[:count]), heads[count:]]
    values = [[(text, False) for text in row[1:]] for row in rows]
    names = [row[:1] for row in rows]
    return _picture(_Grid(table.title(name), [key], blocks, names, values, table.notes()), width)


def _picture(grid: _Grid, width: int) -> Group:
    columns = [[key, *(row[at] for row in grid.names)] for at, key in enumerate(grid.keys)]
    starts = [0]
    for block in grid.blocks:
        starts.append(starts[-1] + len(block))
    wide = [
        max([len(head), *(len(row[at][0]) for row in grid.values)])
        for at, head in enumerate(grid.heads)
    ]
    blocks = [list(range(first, end)) for first, end in pairwise(starts)]
    widths = [max(map(len, texts)) for texts in columns]
    room, parts = _laid_out(widths, [_least(texts) for texts in columns], blocks, wide, width)
    drawn: list[RenderableType] = [Text(grid.title, style="bold")]
    drawn += [_drawn(grid, room, part) for part in parts]
    return Group(*drawn, *(Text(note, style="dim") for note in grid.notes))


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


def _drawn(grid: _Grid, room: Sequence[int], part: Sequence[int]) -> RichTable:
    # The box puts a space of its own between two columns.
    drawn = titled("", padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    drawn.title = None
    for name, width in zip(grid.keys, room, strict=True):
        drawn.add_column(name, overflow="fold", max_width=width)
    for column in part:
        drawn.add_column(grid.heads[column], justify="right", no_wrap=True)
    for keys, row in zip(grid.names, grid.values, strict=True):
        names = ("\n".join(wrap(key, width)) for key, width in zip(keys, room, strict=True))
        cells = [Text(row[at][0], style="bold" if row[at][1] else "") for at in part]
        drawn.add_row(*map(Text, names), *cells)
    return drawn
