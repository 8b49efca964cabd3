"""What can go wrong between a call and its reply, told apart by what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness_plugins.llm.calls import Usage

REFUSED = 20
"""Refusals for one reason, with no reply since, after which all texts are taken to be refused."""
DEAD_END = 4
"""The same, where no reply has come yet and the server says that nothing is served there."""
FLAGGED = 60
"""The same, where no reply has come yet and each refusal is about its text."""


class SendingError(Exception):
    """A call got no reply; the message is one line, without any key or header.

    Attributes:
        usage: what the server bills for the attempt; None: it does not say.
    """

    usage: Usage | None = None


class TransientError(SendingError):
    """It may pass: 429, 5xx, timeout, broken connection, torn reply. Sent again later.

    Args:
        retry_after: seconds that the server asked to wait, or None.
        throttled: the server said that we are too fast (429).
        unreachable: no connection could be made.
        generation: the server works, but gave up on this text: it is sent again a few times.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float | None = None,
        throttled: bool = False,
        unreachable: bool = False,
        generation: bool = False,
    ) -> None:
        self.retry_after, self.throttled, self.unreachable = retry_after, throttled, unreachable
        self.generation = generation
        super().__init__(reason)


class RejectedError(SendingError):
    """The same request would be refused again (400 for this text, content filter).

    ``enough`` in a row mean that every text is refused, where no reply has come yet:
    ``REFUSED``, ``DEAD_END`` or ``FLAGGED`` (about the text: none, once one has come).
    """

    def __init__(self, reason: str, *, enough: int = REFUSED) -> None:
        self.enough = enough
        super().__init__(reason)


class UnsupportedError(RejectedError):
    """The server does not know a parameter (``feature``), or takes ``at_most`` this value."""

    def __init__(self, feature: str, reason: str, *, at_most: int | None = None) -> None:
        self.feature, self.at_most = feature, at_most
        super().__init__(reason)


class ClosedError(SendingError):
    """No request with the key of this lane (None: any) will succeed: rejected, or quota gone."""

    def __init__(self, reason: str, *, lane: int | None = None) -> None:
        self.lane = lane
        super().__init__(reason)
