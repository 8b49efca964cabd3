"""What can go wrong between a call and its reply, told apart by what to do about it."""

from __future__ import annotations


class SendingError(Exception):
    """A call got no reply; the message is one line, without any key or header."""


class TransientError(SendingError):
    """It may pass: 429, 5xx, timeout, broken connection, torn reply. Sent again later.

    Args:
        reason: one line.
        retry_after: seconds that the server asked to wait, or None.
        throttled: the server said that we are too fast (429).
        unreachable: no connection could be made.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float | None = None,
        throttled: bool = False,
        unreachable: bool = False,
    ) -> None:
        self.retry_after, self.throttled, self.unreachable = retry_after, throttled, unreachable
        super().__init__(reason)


class RejectedError(SendingError):
    """The same request would be refused again (400 for this text, content filter)."""


class UnsupportedError(RejectedError):
    """The server does not know a feature that the request uses.

    Args:
        feature: ``response_format``, ``temperature``, ``logprobs``, ...
        reason: one line.
    """

    def __init__(self, feature: str, reason: str) -> None:
        self.feature = feature
        super().__init__(reason)


class ClosedError(SendingError):
    """No request with this key will succeed: key rejected, quota gone, model unknown.

    Args:
        reason: one line that says what and what to do.
        lane: the key it concerns; None: every one (the model is unknown).
    """

    def __init__(self, reason: str, *, lane: int | None = None) -> None:
        self.lane = lane
        super().__init__(reason)
