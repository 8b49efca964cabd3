"""How fast each key may be used: smooth limits, pauses, and a window that follows the server."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness_plugins.llm.service import Pace


MINUTE = 60.0
BURST_SECONDS = 1.0
"""So much of a limit may be used at once; it is taken off the rate, so that no minute
holds more than the limit."""
DECREASE = 0.7
"""Factor of the window when the server throttles (CUBIC's, RFC 9438, section 4.6)."""
SETTLE_SECONDS = 0.5
"""Throttled replies within this time answer the same burst: one decrease."""
THROTTLED_SHARE = 0.2
"""Of recent requests: below it, throttling is taken for chance, and only waited out."""
RECENT = 16
"""Requests over which that share is averaged (exponentially)."""


class Bucket:
    """A token bucket that fills steadily (None: bottomless); ``clock`` in monotonic seconds."""

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        limit = math.inf if per_minute is None else float(per_minute)
        self._capacity = max(1.0, limit * BURST_SECONDS / MINUTE)
        self._rate = max(limit - self._capacity, limit / 2) / MINUTE
        self._level, self._at = self._capacity, clock()
        self._limited = per_minute is not None

    def wait(self, amount: float) -> float:
        """Seconds until so much may be taken; more than the bucket holds needs a full one."""
        if not self._limited:
            return 0.0
        self._fill()
        return max(0.0, (min(amount, self._capacity) - self._level) / self._rate)

    def take(self, amount: float) -> None:
        """Take it; the bucket may owe afterwards. A negative amount gives back."""
        if self._limited:
            self._fill()
            self._level = min(self._capacity, self._level - amount)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
        self._at = now


class Lane:
    """One key: its limits, its pause, and how many requests it may have in flight.

    The window grows by one each time that it was answered in full, and shrinks by a factor
    while the server throttles more than chance does; what it asks to wait is always waited.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._requests = Bucket(pace.requests_per_minute, clock)
        self._tokens = Bucket(pace.tokens_per_minute, clock)
        self._most = float(pace.concurrency)
        self._resumes = self._shrunk = -math.inf
        self._share = 0.0
        self.window = self._most
        self.in_flight = 0
        self.open = True

    def wait(self, tokens: int) -> float:
        """Seconds until a request may go; infinite while the window is full."""
        if not self.open or self.in_flight >= int(self.window):
            return math.inf
        pause = self._resumes - self._clock()
        return max(0.0, pause, self._requests.wait(1), self._tokens.wait(tokens))

    def start(self, tokens: int) -> None:
        """A request goes."""
        self.in_flight += 1
        self._requests.take(1)
        self._tokens.take(tokens)

    def finish(self, reserved: int, used: int | None) -> None:
        """It came back; ``used`` tokens instead of those reserved, None where not known."""
        self.in_flight -= 1
        if used is not None:
            self._tokens.take(used - reserved)

    def answered(self) -> None:
        """The server was content with our speed."""
        self._share -= self._share / RECENT
        if self.window < self._most:
            self.window = min(self._most, self.window + 1.0 / self.window)

    def throttled(self, retry_after: float) -> None:
        """The server was not: wait as long as it says, and have fewer in flight."""
        now = self._clock()
        self._resumes = max(self._resumes, now + retry_after)
        self._share += (1.0 - self._share) / RECENT
        if self._share > THROTTLED_SHARE and now - self._shrunk > SETTLE_SECONDS:
            self.window, self._shrunk = max(1.0, self.window * DECREASE), now


class Lanes:
    """``count`` keys of a backend; a request takes the one with the fewest in flight."""

    def __init__(self, count: int, pace: Pace) -> None:
        self._lanes = [Lane(pace) for _ in range(count)]
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    def __getitem__(self, index: int) -> Lane:
        return self._lanes[index]

    @property
    def open(self) -> int:
        """Number of keys that may still be used."""
        return sum(lane.open for lane in self._lanes)

    def take(self, tokens: int) -> int | None:
        """A lane, if one is free and nobody waits for one."""
        return None if self._turn.locked() else self._ready(tokens)

    async def acquire(self, tokens: int) -> int | None:
        """Wait for a lane, first come, first served; None when all are closed."""
        async with self._turn:
            while self.open:
                if (number := self._ready(tokens)) is not None:
                    return number
                await self._pause(min(lane.wait(tokens) for lane in self._lanes))
        return None

    def release(self, index: int, reserved: int, used: int | None) -> None:
        """Give a lane back."""
        self._lanes[index].finish(reserved, used)
        self._freed.set()

    def close(self, index: int | None) -> None:
        """Use a lane no more; None: all of them."""
        for number, lane in enumerate(self._lanes):
            lane.open = lane.open and index is not None and number != index
        self._freed.set()

    def _ready(self, tokens: int) -> int | None:
        """The free lane with the fewest requests in flight, taken; None: none is free."""
        free = [
            (lane.in_flight, number)
            for number, lane in enumerate(self._lanes)
            if lane.wait(tokens) <= 0
        ]
        if not free:
            return None
        number = min(free)[1]
        self._lanes[number].start(tokens)
        return number

    async def _pause(self, seconds: float) -> None:
        self._freed.clear()
        timeout = None if math.isinf(seconds) else max(seconds, 0.001)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._freed.wait(), timeout)
