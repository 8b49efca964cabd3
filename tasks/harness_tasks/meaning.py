"""What the label values of a table mean: names first, integers only where it is certain.

Data sets number their labels differently: an integer says nothing until somebody says what
it stands for. That is, in this order, the ``label_text`` beside it, the class names that the
file keeps (ClassLabel), the declaration's ``[hub] label_names`` for a table with the hub's
columns, or, in a file without a header, the order of the declared labels, as the reference
implementation writes its files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import DataError, nearest
from harness.files.jsonl import type_name
from harness_tasks.declaration import HubSource

_INTEGER = re.compile(r"[+-]?\d{1,18}")


@dataclass(frozen=True, slots=True)
class Meaning:
    """Turns label values into class names of the task.

    Attributes:
        classes: class names of the task, in index order.
        names: other names for them, such as the hub's.
        integers: what integers stand for; None where that is not certain.
        text: whether integers come as text (``"1"``), as in csv files.
        what: ``label`` or ``tag``.
    """

    classes: Sequence[str]
    names: Mapping[str, str]
    integers: Mapping[int, str] | None
    text: bool
    what: str

    def name(self, value: object, where: str) -> str:
        """The class name (or, of a tag in another scheme, the tag itself).

        Raises:
            DataError: if the value is no name and no integer that is known.
        """
        if isinstance(value, int) and not isinstance(value, bool) and self.integers is not None:
            return self._integer(value, where)
        if not isinstance(value, str):
            said = f"the {self.what} is {type_name(value)}, not a string{self._instead(value)}"
            raise DataError(f"{where}: {said}")
        if value in self.classes:
            return value
        if value in self.names:
            return self.names[value]
        if self.text and _INTEGER.fullmatch(value.strip()):
            return self._integer(int(value), where)
        return value.strip() if self.text else value

    def knows(self, value: str, where: str) -> bool:
        """Whether the value is a name or a number of a class."""
        try:
            return self.name(value, where) in self.classes
        except DataError:
            return True  # a number, which no header has

    def refuse(self, name: str, where: str) -> DataError:
        """The error for a name that is no class."""
        return DataError(
            f"{where}: the task has no {self.what} {name!r}; "
            f"{nearest(name, [*self.classes, *self.names])}"
        )

    def _instead(self, value: object) -> str:
        """What to write for a number."""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return ""
        known = ", ".join(f'"{name}"' for name in self.classes[:6])
        more = ", ..." if len(self.classes) > 6 else ""
        return f"; write the {self.what}'s name in quotes: {known}{more}"

    def _integer(self, value: int, where: str) -> str:
        if self.integers is None:
            raise DataError(
                f"{where}: the {self.what} is the number {value}, which may be counted in more "
                f"than one way here; write one of {', '.join(self.classes)}"
            )
        if value not in self.integers:
            known = ", ".join(f"{number} {name}" for number, name in sorted(self.integers.items()))
            unlabelled = "; the row has no gold label" if value == -1 else ""
            raise DataError(f"{where}: no {self.what} has the number {value}{unlabelled} ({known})")
        return self.integers[value]


def renamed(hub: HubSource | None) -> dict[str, str]:
    """Our class name for each name that the hub uses."""
    if hub is None:
        return {}
    return dict(zip(hub.names or hub.label_names, hub.label_names, strict=True))


def hub_integers(hub: HubSource) -> dict[int, str]:
    """What the hub's plain integers stand for, by the declaration."""
    return dict(enumerate(hub.label_names, start=hub.first_index))


def declared_integers(classes: Sequence[str]) -> dict[int, str]:
    """The order of the declared labels, from 0."""
    return dict(enumerate(classes))


def named_integers(
    found: Sequence[str], classes: Sequence[str], hub: HubSource | None, source: str
) -> dict[int, str]:
    """What integers stand for by the class names that a table itself keeps.

    Raises:
        DataError: if these are not the declared ones.
    """
    names = {name: name for name in classes} | renamed(hub)
    ours = [names.get(name) for name in found]
    if None in ours or set(ours) != set(classes):
        expected = hub.names or hub.label_names if hub else classes
        raise DataError(
            f"{source}: its class names are {', '.join(found)}; "
            f"expected {', '.join(expected)} (in any order)"
        )
    return {number: str(name) for number, name in enumerate(ours)}
