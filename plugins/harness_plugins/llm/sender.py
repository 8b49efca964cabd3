"""How calls are sent: over the network one by one, in a vendor's batch, or to a local model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness_plugins.llm.calls import Call, Reply, Usage
from harness_plugins.llm.failures import SendingError


class Admit(Protocol):
    """Asked before a call is sent; it reserves what the call may cost."""

    def __call__(self, index: int, *, bought: bool = False) -> None:
        """Let a call go; one that an earlier process has ``bought`` always may.

        Raises:
            BudgetError: if it could pass the budget; once the calls in flight have their
                replies, it may go after all.
            UnsupportedError: if the server is known to lack a feature that it uses:
                the call is not sent, and ``done`` gets this error.
            ServiceError: if all texts are refused: nothing more is sent.
        """


class Done(Protocol):
    """Called with each reply, or why there is none, as soon as it is read.

    A ``Usage`` is no result: an attempt was billed and gave no reply, and ``admit`` is asked
    again before the next one.
    """

    def __call__(self, index: int, result: Reply | SendingError | Usage) -> None:
        """Take the result of a call."""


class Sender(Protocol):
    """Gets replies for calls that are not in the cache, each once."""

    def send(self, calls: Sequence[Call], admit: Admit, done: Done) -> None:
        """Return when ``done`` has the result of every call.

        Raises:
            ServiceError: if the service refuses for good; ``done`` has all earlier replies.
            BudgetError: from ``admit``, after the replies of all calls in flight.
            KeyboardInterrupt: by a signal, after those replies that come within seconds.
        """

    def close(self) -> None:
        """Give connections and memory back."""


class Backend(Protocol):
    """Turns messages into a reply over the network: all that differs between services."""

    @property
    def lanes(self) -> int:
        """Number of keys; each has limits of its own."""

    async def send(self, call: Call, lane: int) -> Reply:
        """One request with one key; no retry, no waiting in here.

        ``cost_usd`` of the reply is left at 0: the engine knows the prices.

        Raises:
            SendingError: one of TransientError, RejectedError, UnsupportedError, ClosedError
        """

    async def close(self) -> None:
        """Give connections back."""
