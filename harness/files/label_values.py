"""The label values of one file: names in all rows, or numbers in all; nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.errors import DataError, nearest
from harness.files.jsonl import type_name

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMERAL = re.compile(r"[+-]?\d+([.,]\d+)?")

SHOWN = 60
"""Characters of a wrong label that an error shows."""


class LabelValues:
    """Turns the values of one file's label column into names, row by row.

    A known name is that label; any other plain integer is a label's number, unless label names
    are numbers themselves. The first row decides for the whole file: names or numbers.

    Args:
        names: the label of each name that may occur in the file.
        numbers: the label of each number; None: the meaning of numbers is not certain.
        text: whether numbers come as text (``"1"``), as in csv files, which may have spaces
            around a value.
        what: ``label`` or ``tag``, for messages.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        numbers: Mapping[int, str] | None,
        *,
        text: bool,
        what: str = "label",
    ) -> None:
        self._names, self._text, self._what = names, text, what
        self.numbers = numbers
        self._counted = not any(_NUMERAL.fullmatch(name.strip()) for name in names)
        self._seen: set[int] = set()
        self._first: tuple[bool, str, object] | None = None

    def name(self, value: object, where: str) -> str:
        """The label of a value; an unknown name is returned as it is.

        A ``DataError`` for an unknown number, another type, or a name in a file of numbers and
        the reverse.
        """
        number = self._number(value)
        if number is None and not isinstance(value, str):
            problem = f"{type_name(value)}, not a string{self._instead(value)}"
            raise DataError(f"{where}: the {self._what} is {problem}")
        if number is not None:
            self._hold(True, value, where)
            return self._numbered(number, where)
        written = str(value)
        short = written.strip() if self._text else written
        known = self._names.get(written) or self._names.get(short)
        if known is not None:
            self._hold(False, value, where)
        return known or short

    def knows(self, cell: str) -> bool:
        """Whether a cell is a name or a number, and so no header."""
        return cell.strip() in self._names or self._number(cell) is not None

    def refuse(self, name: str, where: str) -> DataError:
        """The error for a name that is no label."""
        shown = name if len(name) <= SHOWN else f"{name[:SHOWN]}..."
        near = self._near(shown) if name else "fill what is empty"
        return DataError(f"{where}: the task has no {self._what} {shown!r}; {near}")

    def notes(self) -> list[str]:
        """One line on what the numbers mean, once all rows are read."""
        if not self._seen or self.numbers is None:
            return []
        read = ", ".join(f"{number} {name}" for number, name in self.numbers.items())
        meaning = f"numbers are read as the declared {self._what}s: {read}"
        lowest = min(self.numbers)
        if lowest in self._seen:
            return [meaning]
        return [f"{meaning}; no row has {lowest}{self._advice(lowest + 1)}"]

    def _number(self, value: object) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return value if self.numbers is not None else None
        if not (self._text and self._counted and isinstance(value, str)):
            return None
        if value in self._names or value.strip() in self._names:
            return None
        return int(value) if _NUMBER.fullmatch(value.strip()) else None

    def _hold(self, numbered: bool, value: object, where: str) -> None:
        if self._first is None:
            self._first = (numbered, where, value)
        elif self._first[0] != numbered:
            here, there = ("number", "name") if numbered else ("name", "number")
            raise DataError(
                f"{where}: the {self._what} is the {here} {str(value).strip()!r}, but "
                f"{self._first[1]} has the {there} {str(self._first[2]).strip()!r}; "
                "write names in all rows, or numbers in all"
            )

    def _numbered(self, number: int, where: str) -> str:
        if self.numbers is None:
            raise DataError(
                f"{where}: the {self._what} is the number {number}, which may be counted in more "
                f"than one way here; write one of {', '.join(self._names)}"
            )
        self._seen.add(number)
        if number in self.numbers:
            return self.numbers[number]
        known = ", ".join(f"{one} {name}" for one, name in sorted(self.numbers.items()))
        more = "; the row has no gold label" if number == -1 else ""
        if number == max(self.numbers) + 1 and min(self.numbers) not in self._seen:
            more = self._advice(min(self.numbers) + 1)
        raise DataError(f"{where}: no {self._what} has the number {number} ({known}){more}")

    def _advice(self, first: int) -> str:
        return (
            f"; if the {self._what}s are counted from {first}, write their names, or set "
            f"first_index = {first} under [columns] in the task's file"
        )

    def _near(self, name: str) -> str:
        if self._counted and self.numbers and _NUMERAL.fullmatch(name):
            return f"as a number it is one of {', '.join(map(str, sorted(self.numbers)))}"
        return nearest(name, self._names)

    def _instead(self, value: object) -> str:
        """What to write for a number."""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return ""
        names = list(dict.fromkeys(self._names.values()))
        known = ", ".join(f'"{name}"' for name in names[:6]) + (", ..." if names[6:] else "")
        return f"; write the {self._what}'s name in quotes: {known}"
