"""Wrong rows of a file: named together once all rows are read, not one a try."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from harness.errors import DataError

T = TypeVar("T")
_PLACE = re.compile(r".+?(:\d+|: row \d+)(?=: )")
SHOWN = 4
"""Places that are named after the first fault."""


class Faults:
    """Collects what is wrong with rows."""

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
