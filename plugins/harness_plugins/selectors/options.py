"""Arguments that several selectors read."""

from __future__ import annotations

from harness.errors import CommandError
from harness.specs import Spec


def fraction_argument(spec: Spec, default: float) -> float:
    """The argument as a share in (0, 1].

    Raises:
        CommandError: if it is none.
    """
    spec.check_options()
    if spec.argument is None:
        return default
    try:
        value = float(spec.argument)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise CommandError(f"{spec}: write a share greater than 0 and at most 1")
    return value


def number_argument(spec: Spec, default: int) -> int:
    """The argument as a positive whole number.

    Raises:
        CommandError: if it is none.
    """
    spec.check_options()
    if spec.argument is None:
        return default
    try:
        value = int(spec.argument)
    except ValueError:
        value = 0
    if value < 1:
        raise CommandError(f"{spec}: write a whole number of at least 1")
    return value
