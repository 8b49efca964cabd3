"""What follows the colon of a selector's spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from harness.errors import CommandError
from harness.specs import Spec

Argument: TypeAlias = Literal["share", "number", "amount", "threshold"]


def _amount(text: str) -> float:
    return int(text) if text.isdecimal() else float(text)


_READ: dict[Argument, tuple[Callable[[str], float], Callable[[float], bool], str]] = {
    "share": (float, lambda value: 0 < value <= 1, "a share greater than 0 and at most 1"),
    "number": (int, lambda value: value >= 1, "a whole number of at least 1"),
    "amount": (
        _amount,
        lambda value: value >= 1 if isinstance(value, int) else 0 < value <= 1,
        "a whole number, or a share such as 0.1",
    ),
    "threshold": (float, lambda value: 0 < value < 1, "a probability between 0 and 1"),
}


def argument(spec: Spec, kind: Argument | None, *options: str) -> dict[str, float]:
    """The argument by its name; empty where the spec leaves it out.

    Args:
        spec: as the user wrote it.
        kind: what the selector takes; None: nothing.
        options: names of the options that it has.

    Raises:
        CommandError: if the argument is no such value, or an option is unknown.
    """
    spec.check_options(*options)
    if kind is None:
        spec.no_argument()
    if kind is None or spec.argument is None:
        return {}
    convert, allowed, said = _READ[kind]
    try:
        value = convert(spec.argument)
    except ValueError:
        value = 0
    if not allowed(value):
        raise CommandError(f"{spec}: write {said}")
    return {kind: value}
