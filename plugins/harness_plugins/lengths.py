"""The few lengths that batches have on a GPU, where every new shape costs seconds."""

from __future__ import annotations

from functools import cache

SHORTEST = 16
MOST = 8
"""Lengths at most."""


def fixed_length(pieces: int, maximum: int) -> int:
    """The shortest length of ``fixed_lengths`` that holds a number of word pieces.

    Args:
        pieces: of the longest row; more than ``maximum`` are cut there.
        maximum: word pieces of a row at most, such as ``student.max_length``.
    """
    return next((one for one in fixed_lengths(maximum) if one >= pieces), maximum)


@cache
def fixed_lengths(maximum: int) -> tuple[int, ...]:
    """At most eight lengths, the last one ``maximum``: 16, 24, 32, 48, 64, 96 and so on.

    Where these would be more, the long ones double: 16, 24, 32, 48, 64, 128, 256, 512.
    """
    found = [one for k in range(32) for one in (SHORTEST << k, 24 << k) if one < maximum]
    while len(found) >= MOST:
        between = [one for one in found if one % 3 == 0]
        found.remove(between[-1] if between else found[0])
    return (*found, maximum)
