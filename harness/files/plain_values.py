"""Values of cells, whatever wrote them, as JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any


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
