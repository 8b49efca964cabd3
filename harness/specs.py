"""A spec names a part: ``name``, ``name:argument``, ``name:argument,key=value``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from harness.errors import CommandError, nearest

T = TypeVar("T")

_OPTION = re.compile(r",(?=[A-Za-z_][A-Za-z0-9_.-]*=)")


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed spec: a part's name, what follows the colon, and the ``key=value`` pairs."""

    name: str
    argument: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        options = "".join(f",{key}={value}" for key, value in self.options.items())
        return self.name + (f":{self.argument}" if self.argument is not None else "") + options

    def option(self, key: str, default: T, convert: Callable[[str], T]) -> T:
        """One option, converted; a ``CommandError`` if that fails."""
        if key not in self.options:
            return default
        try:
            return convert(self.options[key])
        except ValueError:
            raise CommandError(
                f"{self}: option {key}={self.options[key]!r} is not a valid {convert.__name__}"
            ) from None

    def no_argument(self) -> None:
        """Raise a ``CommandError`` if there is an argument, for parts that take none."""
        if self.argument is not None:
            raise CommandError(f"{self}: {self.name} takes no argument after the colon")

    def check_options(self, *known: str) -> None:
        """Raise a ``CommandError`` for an option that a part does not have."""
        for key in self.options:
            if key not in known:
                hint = nearest(key, known) if known else f"{self.name} has none"
                raise CommandError(f"{self}: no option {key!r}; {hint}")


def parse_spec(text: str) -> Spec:
    """Read a spec; a ``CommandError`` if it names no part.

    An option begins at a comma that ``key=`` follows, so an argument (a path, say) may
    contain other commas and equal signs.
    """
    head, *options = _OPTION.split(text.strip())
    name, colon, argument = head.partition(":")
    if not name:
        raise CommandError(f"{text!r} names no part; write name, name:argument or name,key=value")
    pairs = [option.partition("=") for option in options]
    keys = [key for key, _, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise CommandError(f"{text!r} gives the option {key!r} twice")
    return Spec(
        name=name.strip(),
        argument=argument if colon else None,
        options={key: value for key, _, value in pairs},
    )
