"""Many comparisons: p-values corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979), in the order given: below 5 %, few tables err at all.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none becomes smaller
    than one before it, none larger than 1.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    ascending = sorted(range(len(p_values)), key=lambda row: p_values[row])
    for rank, row in enumerate(ascending):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[row]))
        adjusted[row] = largest
    return adjusted
