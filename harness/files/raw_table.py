"""What every format gives: raw rows, each with the place where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

RawRow: TypeAlias = tuple[str, Mapping[str, Any]]
"""``file:line`` (or ``file: row n``) and the row's columns."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What makes a file's first row a header.

    Attributes:
        known: names of columns, two of which make it one.
        enough: names of which one will do, unless the row has one of ``values``.
        values: what stands in rows, but in no header.
        unheaded: the columns of a file without one, in order; empty: the task does not say.
    """

    known: frozenset[str]
    enough: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    unheaded: tuple[str, ...] = ()

    def match(self, cells: Sequence[str]) -> bool:
        """Whether a first row is a header."""
        found = {cell.strip() for cell in cells}
        alone = not found.isdisjoint(self.enough) and found.isdisjoint(self.values)
        return alone or len(found & self.known) >= 2


@dataclass(frozen=True, slots=True)
class RawTable:
    """A file (or a split from the hub), not yet read.

    Attributes:
        name: for messages.
        rows: begins to read anew at each call.
        values: ``typed`` (numbers are numbers), ``text`` (all columns are text),
            ``positional`` (text without a header).
        class_names: the names of the integers of a column, where the file says them.
        opening: place and cells of the first row of a file without a known header.
        fingerprint: a hash of the content, where it is known without reading it.
    """

    name: str
    rows: Callable[[], Iterator[RawRow]]
    values: Literal["typed", "text", "positional"] = "typed"
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    opening: tuple[str, tuple[str, ...]] | None = None
    fingerprint: str | None = None
