"""``harness table`` on a terminal: no number breaks, too wide a table is drawn in parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
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
    names, values = table.names(), table.values()
    widths = [
        max(len(table.header[at]), *(len(row[at]) for row in names))
        for at in range(len(table.keys))
    ]
    starts = _starts(table)
    wide = [_widest(table, values, column) for column in range(starts[-1])]
    blocks = [list(range(first, end)) for first, end in pairwise(starts)]
    least = [_least([table.header[at], *(row[at] for row in names)]) for at in range(len(widths))]
    room, parts = _laid_out(widths, least, blocks, wide, width)
    drawn: list[RenderableType] = [Text(table.title, style="bold")]
    drawn += [_drawn(table, names, values, room, part) for part in parts]
    return Group(*drawn, *(Text(note, style="dim") for note in table.notes))


def _least(texts: Sequence[str]) -> int:
    """How narrow a column of names can be."""
    return min(LONGEST, max(len(word) for text in texts for word in text.split() or [""]))


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


def _starts(table: Table) -> list[int]:
    """Where the columns of each value begin, and the end of all."""
    found = [0]
    for block in table.blocks():
        found.append(found[-1] + len(block))
    return found


def _widest(table: Table, values: Sequence[Sequence[tuple[str, bool]]], column: int) -> int:
    header = table.header[len(table.keys) + column]
    return max(len(header), *(len(row[column][0]) for row in values))


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


def _drawn(
    table: Table,
    names: Sequence[Sequence[str]],
    values: Sequence[Sequence[tuple[str, bool]]],
    room: Sequence[int],
    part: Sequence[int],
) -> RichTable:
    # The box puts a space of its own between two columns.
    drawn = titled("", padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    drawn.title = None
    for name, width in zip(table.keys, room, strict=True):
        drawn.add_column(name, overflow="fold", max_width=width)
    for column in part:
        drawn.add_column(table.header[len(table.keys) + column], justify="right", no_wrap=True)
    for keys, row in zip(names, values, strict=True):
        cells = [Text(row[at][0], style="bold" if row[at][1] else "") for at in part]
        drawn.add_row(*map(Text, keys), *cells)
    return drawn
