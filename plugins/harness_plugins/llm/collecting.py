"""Python's search for cyclic garbage, which costs much where millions of values are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Make many values that refer to no cycle, without searching them over and over.

    With 100,000 calls the search takes a third of the time between texts and annotations.
    What is no longer referred to is freed at once all the same.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
