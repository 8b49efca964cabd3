"""What every format gives: raw rows with their places; wrong rows, named together; plain cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Literal, TypeAlias, TypeVar

from harness.errors import DataError

T = TypeVar("T")
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


_PLACE = re.compile(r".+?(:\d+|: row \d+)(?=: )")
SHOWN = 4
"""Places that are named after the first fault."""


class Faults:
    """Collects the wrong rows of a file: named together once all are read, not one a try."""

    def __init__(self) -> None:
        self._first = ""
        self._places: list[str] = []
        self._others = 0

    def over(self, rows: Iterable[T]) -> Iterator[T]:
        """The rows, up to what is wrong with their file itself."""
        try:
            yield from rows
        except DataError as error:
            self.add(error)

    def add(self, error: DataError) -> None:
        """One more wrong row, whose place the error's message begins with."""
        if not self._first:
            self._first = str(error)
            return
        self._others += 1
        if len(self._places) < SHOWN and (place := _PLACE.match(str(error))):
            self._places.append(place.group())

    def check(self) -> None:
        """Raise a ``DataError`` if any row was wrong: the first one in full, the others' places."""
        if not self._first:
            return
        if not self._others:
            raise DataError(self._first)
        rows = "1 more row is" if self._others == 1 else f"{self._others:,} more rows are"
        more = ", ..." if self._others > len(self._places) else ""
        raise DataError(f"{self._first} ({rows} wrong: {', '.join(self._places)}{more})")


def plain(value: Any) -> Any:
    """A cell's value as JSON has it: dates and times as ISO text, bytes and others as text."""
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
        return [plain(one) for one in value]
    return str(value)
