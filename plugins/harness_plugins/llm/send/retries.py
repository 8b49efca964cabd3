"""What is still to be sent: calls not sent yet, and those to be sent again after a while."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness_plugins.llm.failures import TransientError

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
LONGEST_RETRY_AFTER = 600.0
"""A server that asks for a longer pause is asked again after this."""
PATIENCE = 4
"""Throttled requests are sent again so many times more often than failing ones."""


@dataclass(slots=True)
class Attempts:
    """What has been tried for a call."""

    failed: int = 0
    throttled: int = 0

    @property
    def count(self) -> int:
        """How often it was sent in vain."""
        return self.failed + self.throttled

    def exhausted(self, retries: int) -> bool:
        """Whether it is not to be sent again."""
        return self.failed > retries or self.throttled > retries * PATIENCE


class CallQueue:
    """Hands out calls: those whose pause is over first, then new ones."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._count, self._next = count, 0
        self._later: list[tuple[float, int]] = []
        self._attempts: dict[int, Attempts] = {}

    def take(self) -> int | None:
        """The next call, or None while (or because) there is none."""
        if self._later and self._later[0][0] <= self._clock():
            return heapq.heappop(self._later)[1]
        if self._next < self._count:
            self._next += 1
            return self._next - 1
        return None

    def wait(self) -> float | None:
        """Seconds until a pause is over; None: nothing is left to hand out."""
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None

    def attempts(self, index: int) -> Attempts:
        """What has been tried for a call."""
        return self._attempts.setdefault(index, Attempts())

    def postpone(self, index: int, seconds: float) -> None:
        """Hand a call out again after a pause."""
        heapq.heappush(self._later, (self._clock() + seconds, index))


def asked_pause(error: TransientError) -> float:
    """Seconds that the server asks to wait, as far as it is obeyed."""
    return min(error.retry_after or 0.0, LONGEST_RETRY_AFTER)


def backoff(attempts: Attempts, error: TransientError) -> float:
    """Seconds until a call is sent again: what the server asks for, else full jitter.

    Full jitter: uniform between 0 and a bound that doubles (Brooker, "Exponential Backoff
    And Jitter", 2015). It is added to what the server asks for as well, so that the requests
    of one burst do not come back as one.
    """
    bound = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(attempts.count - 1, 16))
    asked = asked_pause(error)
    return asked + random.uniform(0, min(bound, 1.0) if asked else bound)
