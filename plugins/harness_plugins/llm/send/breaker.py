"""Decides when failures mean that the service is down, or takes no text, not that a call is bad."""

from __future__ import annotations

import re
from collections import Counter

from harness.errors import ServiceError
from harness_plugins.llm.failures import DEAD_END, FLAGGED, REFUSED, RejectedError, TransientError

KEPT = "; replies received so far are kept"

UNREACHABLE = 4
"""Failed connections in a row, where none has ever succeeded, until we give up."""
FAILED = 60
"""Failed requests of any kind, where none has ever succeeded."""
LOST = 20
"""Calls in a row that got no reply at all after all their attempts."""


class Breaker:
    """Counts what fails between successes; errors name the server (``where``)."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._succeeded = False
        self._replied = False
        self._unreachable = self._failed = self._lost = 0

    def success(self, *, reply: bool = True) -> None:
        """A reply, or a refusal (``reply=False``) that shows that the service works."""
        self._succeeded = True
        self._replied = self._replied or reply
        self._unreachable = self._failed = self._lost = 0

    @property
    def kept(self) -> str:
        """What to add to an error where replies have come: that they are not lost."""
        return KEPT if self._replied else ""

    def failure(self, error: TransientError) -> ServiceError | None:
        """One request failed; the error to stop with, if the service is down."""
        self._failed += not error.throttled
        self._unreachable = self._unreachable + 1 if error.unreachable else 0
        if self._succeeded:
            return None
        if self._unreachable >= UNREACHABLE:
            return self._down(f"cannot be reached ({error}); is the server running?")
        if self._failed >= FAILED:
            return self._down(f"{self._failed} requests failed and none succeeded ({error})")
        return None

    def lost(self, error: TransientError) -> ServiceError | None:
        """A call is given up; the error to stop with, if that is no matter of this call."""
        self._lost += 1
        if error.unreachable:
            return self._down(f"cannot be reached any more ({error})")
        if self._lost >= LOST:
            return self._down(f"{self._lost} texts in a row got no reply ({error})")
        return None

    def _down(self, what: str) -> ServiceError:
        later = ": the same command goes on later" if self._replied else ""
        return ServiceError(f"{self._where}: {what}{self.kept}{later}")


class Streak:
    """Counts refusals for one reason since the last reply."""

    def __init__(self) -> None:
        self._replied = False
        self._counts: Counter[str] = Counter()
        self._hopeless: RejectedError | None = None

    def replied(self) -> None:
        """A reply came: not every text is refused."""
        self._replied = True
        self._counts.clear()
        self._hopeless = None

    def refused(self, error: RejectedError) -> None:
        """One more text was refused."""
        if self._replied and error.enough == FLAGGED:
            return
        reason = re.sub(r"\S*\d\S*", "", str(error))  # numbers of requests and tokens differ
        self._counts[reason] += 1
        enough = max(error.enough, REFUSED) if self._replied else error.enough
        if self._counts[reason] >= enough:
            self._hopeless = error

    def verdict(self, error: RejectedError | None = None) -> ServiceError | None:
        """The error to stop with, if every text is refused; ``error``: of the last text of all."""
        if error is not None and error.enough == DEAD_END and not self._replied:
            return ServiceError(str(error))
        if self._hopeless is None:
            return None
        kept = KEPT if self._replied else ""
        if self._hopeless.enough == DEAD_END:
            return ServiceError(f"{self._hopeless}{kept}")
        count = max(self._counts.values())
        return ServiceError(
            f"{count} texts in a row were refused for the same reason: {self._hopeless}{kept}"
        )
