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

NAMES = 18
"""Letters that the names of a row keep together, where that saves a part."""
LEAST = 7
"""Letters that a column of names keeps however narrow the terminal is."""
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
    room, parts = _laid_out(widths, blocks, wide, width)
    drawn: list[RenderableType] = [Text(table.title, style="bold")]
    drawn += [_drawn(table, names, values, room, part) for part in parts]
    return Group(*drawn, *(Text(note, style="dim") for note in table.notes))


def _laid_out(
    widths: Sequence[int], blocks: Sequence[list[int]], wide: Sequence[int], width: int
) -> tuple[list[int], list[list[int]]]:
    """Widths of the names' columns and columns of each part: few parts, then wide names."""
    best: tuple[list[int], list[list[int]]] | None = None
    for most in range(sum(widths) + GAP * len(widths), min(NAMES, width // 3) - 1, -1):
        room = _narrowed(widths, most)
        left = width - sum(one + GAP for one in room) + GAP
        parts = _parts(blocks, wide, left)
        fits = all(sum(wide[at] + GAP for at in part) <= left for part in parts)
        if fits and (best is None or len(parts) < len(best[1])):
            best = room, parts
    room = _narrowed(widths, min(NAMES, width // 3))
    return best or (room, _parts(blocks, wide, width - sum(one + GAP for one in room) + GAP))


def _starts(table: Table) -> list[int]:
    """Where the columns of each value begin, and the end of all."""
    found = [0]
    for block in table.blocks():
        found.append(found[-1] + len(block))
    return found


def _widest(table: Table, values: Sequence[Sequence[tuple[str, bool]]], column: int) -> int:
    header = table.header[len(table.keys) + column]
    return max(len(header), *(len(row[column][0]) for row in values))


def _narrowed(widths: Sequence[int], room: int) -> list[int]:
    """Widths of the names' columns, the widest ones cut down until they fit."""
    found = list(widths)
    while sum(one + GAP for one in found) > room and max(found) > LEAST:
        found[found.index(max(found))] -= 1
    return found


def _parts(blocks: Sequence[list[int]], wide: Sequence[int], room: int) -> list[list[int]]:
    """Columns of each part: a value stays with its difference where there is room for both."""
    units = []
    for block in blocks:
        fits = sum(wide[column] + GAP for column in block) <= room
        units += [block] if fits else [[column] for column in block]
    parts: list[list[int]] = []
    for unit in units:
        if parts and sum(wide[column] + GAP for column in (*parts[-1], *unit)) <= room:
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
    drawn = titled("", padding=(0, GAP, 0, 0), pad_edge=False, show_edge=False)
    drawn.title = None
    for name, width in zip(table.keys, room, strict=True):
        drawn.add_column(name, overflow="fold", max_width=width)
    for column in part:
        drawn.add_column(table.header[len(table.keys) + column], justify="right", no_wrap=True)
    for keys, row in zip(names, values, strict=True):
        cells = [Text(row[at][0], style="bold" if row[at][1] else "") for at in part]
        drawn.add_row(*map(Text, keys), *cells)
    return drawn
