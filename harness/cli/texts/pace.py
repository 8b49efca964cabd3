"""The pace of work on many rows: a bar on a terminal, elsewhere a line every half minute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from harness.cli.screen.output import complain, console
from harness.protocols import Progress

EVERY = 30.0
"""Seconds between two lines."""


@contextmanager
def pace(what: str) -> Iterator[Progress]:
    """A ``Progress`` that shows on stderr how many rows are done, rows/s and the time left."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield _Lines(what)
        return
    from harness.cli.screen.live import rate_bar

    with rate_bar(screen) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """Says it on lines; the first one after half a minute."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = self._said = monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = monotonic()
        if now - self._said < EVERY:
            return
        self._said = now
        rate = done / (now - self._began)
        left = round((total - done) / rate) if rate else 0
        complain(
            f"{self._what}: {done:,} of {total:,} rows, {rate:,.0f} rows/s, "
            f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
        )
