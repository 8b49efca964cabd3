"""A backend whose connections belong to another process, which outlives this one; see ``courier``.

A reply counts as safe once the sender has come back from its commit: between the return of a reply
from ``send`` and the commit nothing is awaited, so whatever is said to the courier in a later step
of any task is said after it. Such words ride with the next request, or with the farewell; if they
are lost, the courier finds the reply in the cache.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, TypeAlias

from harness.errors import ServiceError
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.courier_frames import TOGETHER, Link, packed_call, unpacked_result
from harness_plugins.llm.courier_process import CourierProcess
from harness_plugins.llm.failures import SendingError

if TYPE_CHECKING:
    from harness.protocols import Account
    from harness_plugins.llm.settings import LlmSettings

__all__ = ["CourierBackend"]

Answer: TypeAlias = bytes | str | None
"""What a call is told: a reply or failure; one line about a mistake; None: the courier is gone."""


class CourierBackend:
    """A ``Backend`` that asks through a courier.

    Args:
        settings: which backend the courier has.
        account: who pays, and where replies are kept.

    Raises:
        CommandError, ConfigError, ServiceError: as the making of the courier's backend would.
    """

    def __init__(self, settings: LlmSettings, account: Account) -> None:
        self._where, self._record = settings.endpoint, account.record
        self._courier = CourierProcess(settings, account)
        self._link: Link | None = None
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._calls: list[tuple[int, int, bytes]] = []
        self._safe: list[int] = []
        self._unwanted: list[int] = []
        self._to_be_said = self._farewell = False
        self._gone: ServiceError | None = None

    @property
    def lanes(self) -> int:
        """Number of keys, at least one."""
        return self._courier.lanes

    async def send(self, call: Call, lane: int) -> Reply:
        """One request; see ``Backend``.

        Raises:
            ServiceError: if the courier is gone.
            RunError: if the run's lock cannot be had.
        """
        if self._link is None and self._gone is None:
            self._link = self._linked()
        if self._gone is not None:
            raise self._gone
        number = next(self._numbers)
        self._calls.append((number, lane, packed_call(call)))
        if len(self._calls) >= TOGETHER:
            self._say()
        else:
            self._say_soon()
        answer = await self._told_of(number)
        if answer is None:
            raise self._gone or ServiceError(f"{self._where}: no answer")
        if isinstance(answer, str):
            raise ServiceError(f"{self._where}: {answer}")
        result = unpacked_result(answer)
        if isinstance(result, SendingError):
            raise result
        self._safe.append(number)
        return result

    async def close(self) -> None:
        """Say farewell, and wait for the courier's end."""
        try:
            if self._link is None:
                self._courier.channel.close()  # nothing was asked: it ends by itself
            elif self._gone is None:
                self._link.say((*self._words(), True))
                self._farewell = True
            await self._courier.ended()
        finally:
            if self._link is not None:
                self._link.close()
            self._courier.end()

    def _linked(self) -> Link | None:
        """This end within the event loop, once the courier holds the run's lock."""
        try:
            self._courier.lock()
        except OSError:
            self._gone = self._courier.death()
            return None
        return Link(self._courier.channel, self._told, self._lost)

    async def _told_of(self, number: int) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                return future.result()  # it came in the same turn: it is paid for, and is kept
            self._unwanted.append(number)
            self._say_soon()
            raise
        finally:
            del self._waiting[number]

    def _say_soon(self) -> None:
        """In the next turn of the loop, in one frame with all that is to be said then."""
        if not self._to_be_said:
            self._to_be_said = True
            asyncio.get_running_loop().call_soon(self._say_now)

    def _say_now(self) -> None:
        self._to_be_said = False
        if self._calls or self._unwanted:
            self._say()

    def _say(self) -> None:
        if self._link is not None and not self._farewell:
            self._link.say((*self._words(), False))

    def _words(self) -> tuple[str, list[tuple[int, int, bytes]], list[int], list[int]]:
        """What there is to be said; see ``courier.Words``."""
        words = (self._record(), self._calls, self._safe, self._unwanted)
        self._calls, self._safe, self._unwanted = [], [], []
        return words

    def _told(self, results: list[tuple[int, bytes | str]]) -> None:
        for number, answer in results:
            future = self._waiting.get(number)
            if future is not None and not future.done():
                future.set_result(answer)

    def _lost(self) -> None:
        """The courier is gone: nothing that is under way will be told."""
        if self._farewell:
            return
        self._gone = self._courier.death()
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)
