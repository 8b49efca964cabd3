"""Sends calls over the network: many at once, within limits, again after failures that pass."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import BudgetError, ServiceError
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.cost.tokens import quick_tokens
from harness_plugins.llm.failures import (
    FLAGGED,
    REFUSED,
    ClosedError,
    RejectedError,
    SendingError,
    TransientError,
)
from harness_plugins.llm.send.breaker import Breaker
from harness_plugins.llm.send.interruption import deferred
from harness_plugins.llm.send.pacing import Lanes
from harness_plugins.llm.send.retries import CallQueue, asked_pause, backoff
from harness_plugins.llm.sender import Admit, Backend, Done

if TYPE_CHECKING:
    from harness_plugins.llm.service import Pace

GRACE_SECONDS = 9.0
"""How long replies in flight are waited for after a signal or a fatal error: ``docker stop``
kills what has not ended after ten seconds."""
SAY_SECONDS = 1.0
"""The user is notified of a longer wait."""
LONG_PAUSE_SECONDS = 20.0
"""The user is notified of a longer pause."""
GENERATIONS = 3
"""A text on which the server gave up is sent again so often."""
LOOK_AGAIN_SECONDS = 0.5
"""A call that the budget does not allow yet is looked at again at least so often."""


class NetworkSender:
    """A ``Sender`` over a ``Backend``; errors name the server (``where``)."""

    def __init__(
        self,
        backend: Backend,
        pace: Pace,
        where: str = "the server",
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.backend, self.pace, self.breaker, self.note = backend, pace, Breaker(where), note
        self._runner = asyncio.Runner()
        self._lanes: Lanes | None = None

    def send(self, calls: Sequence[Call], admit: Admit, done: Done) -> None:
        """Send every call; see ``Sender``."""
        if self._lanes is None:
            self._lanes = Lanes(self.backend.lanes, self.pace)
        dispatch = _Dispatch(self, self._lanes, calls, admit, done)
        # The loop is made where it runs, which may be in another thread.
        with deferred(lambda: self._runner.get_loop().call_soon_threadsafe(dispatch.stop)):
            _run_anywhere(lambda: self._runner.run(dispatch.run()))

    def close(self) -> None:
        """Close connections and the event loop."""
        _run_anywhere(self._close)

    def _close(self) -> None:
        try:
            self._runner.run(_cancel_others())  # left over by a second signal
            self._runner.run(self.backend.close())
        finally:
            self._runner.close()


class _Dispatch:
    """The sending of one list of calls."""

    def __init__(
        self, by: NetworkSender, lanes: Lanes, calls: Sequence[Call], admit: Admit, done: Done
    ) -> None:
        self._backend, self._pace, self._breaker = by.backend, by.pace, by.breaker
        self._lanes, self._note = lanes, by.note
        self._calls, self._admit, self._done = calls, admit, done
        self._queue = CallQueue(len(calls))
        self._admitted: set[int] = set()
        self._sending = 0
        self._quiet_until = 0.0
        self._ended = asyncio.Event()
        self._stop, self._hurried = asyncio.Event(), False
        self._workers: list[asyncio.Task[None]] = []
        self._why: Exception | None = None

    async def run(self) -> None:
        """Return when every call has its result; else raise why not, after those in flight."""
        width = min(self._pace.concurrency, len(self._calls))
        self._workers = [asyncio.create_task(self._work()) for _ in range(width)]
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._why is not None:
            raise self._why

    def stop(self) -> None:
        """Send nothing more; what is in flight has a few seconds to come in."""
        self._stop.set()
        if not self._hurried:
            self._hurried, loop = True, asyncio.get_running_loop()
            loop.call_later(SAY_SECONDS, self._say_waiting)
            loop.call_later(GRACE_SECONDS, self._give_up)

    def _say_waiting(self) -> None:
        if self._sending:
            self._note(
                f"waiting for {self._sending} replies on their way, {GRACE_SECONDS:.0f} s at most; "
                "the same command asks again for those that do not come"
            )

    def _give_up(self) -> None:
        for worker in self._workers:
            worker.cancel()

    async def _work(self) -> None:
        try:
            await self._send_on()
        except Exception as error:  # nobody foresaw it: a reason to stop, not to drop the others
            self._halt(error)

    async def _send_on(self) -> None:
        while not self._stop.is_set():
            index = self._queue.take()
            if index is not None:
                await self._attempt(index)
                # Replies that have come in meanwhile are kept before anything else is sent.
                await asyncio.sleep(0)
            elif (pause := self._queue.wait()) is not None:
                await self._unless_stopped(asyncio.sleep(pause))
            else:
                return

    async def _attempt(self, index: int) -> None:
        if index not in self._admitted and not await self._may_go(index):
            return
        call = self._calls[index]
        tokens = quick_tokens(call) if self._pace.tokens_per_minute else 0
        lane = self._lanes.take(tokens)
        if lane is None:
            lane = await self._unless_stopped(self._lanes.acquire(tokens))
        if self._stop.is_set():
            if lane is not None:
                self._lanes.release(lane, tokens, 0)
        elif lane is None:
            self._halt(ServiceError("no key is left to ask with"))
        else:
            self._settle(index, lane, await self._ask(call, lane, tokens))

    async def _may_go(self, index: int) -> bool:
        """Reserve what the call may cost, once; where the budget is short, put the call back.

        Requests in flight may turn out cheaper than what is reserved for them.
        """
        try:
            self._admit(index)
        except BudgetError as error:
            if not self._admitted:
                self._halt(error)
                return False
            self._ended.clear()
            await self._unless_stopped(_wait_for(self._ended, LOOK_AGAIN_SECONDS))
            self._queue.postpone(index, 0.0)
            return False
        except SendingError as error:
            self._done(index, error)
            return False
        self._admitted.add(index)
        return True

    def _tell(self, index: int, result: Reply | SendingError) -> None:
        self._admitted.discard(index)
        self._done(index, result)

    async def _ask(self, call: Call, lane: int, tokens: int) -> Reply | SendingError:
        self._sending += 1
        used: int | None = None
        try:
            async with asyncio.timeout(self._pace.timeout):
                reply = await self._backend.send(call, lane)
            used = reply.tokens
            return reply
        except TimeoutError:
            return TransientError(f"no reply within {self._pace.timeout:g} s")
        except SendingError as error:
            return error
        finally:
            self._sending -= 1
            self._lanes.release(lane, tokens, used)
            self._ended.set()

    def _settle(self, index: int, lane: int, result: Reply | SendingError) -> None:
        if isinstance(result, TransientError):
            self._failed(index, lane, result)
        elif isinstance(result, ClosedError):
            self._closed(index, lane, result)
        else:
            self._breaker.success(reply=isinstance(result, Reply))
            self._lanes[lane].answered()
            self._tell(index, result)

    def _again(self, index: int, error: SendingError, pause: float) -> None:
        """Send a call again; what its attempt cost is counted first, and admitted anew."""
        if error.usage is not None:
            self._done(index, error.usage)
            self._admitted.discard(index)
        self._queue.postpone(index, pause)

    def _failed(self, index: int, lane: int, error: TransientError) -> None:
        attempts = self._queue.attempts(index)
        if error.throttled:
            attempts.throttled += 1
        else:
            attempts.failed += 1
        pause = backoff(attempts, error)
        if error.throttled or error.retry_after:
            self._lanes[lane].throttled(asked_pause(error))
            self._tell_of_pause(error)
        retries, down = self._pace.retries, None
        if error.generation:
            retries = min(retries, GENERATIONS)
        else:
            down = self._breaker.failure(error)
        if attempts.exhausted(retries):
            down = down or (None if error.generation else self._breaker.lost(error))
            if down is None:
                self._tell(index, _given_up(attempts.count, error))
                return
        self._again(index, error, pause)
        if down is not None:
            self._halt(down)

    def _tell_of_pause(self, error: TransientError) -> None:
        """Note once for each long pause why nothing happens."""
        pause, now = asked_pause(error), time.monotonic()
        if pause >= LONG_PAUSE_SECONDS and now >= self._quiet_until:
            self._quiet_until = now + pause
            self._note(f"the server asks to wait: going on in {pause:.0f} s ({error})")

    def _closed(self, index: int, lane: int, error: ClosedError) -> None:
        """A key, or everything, is of no more use."""
        was_open = self._lanes[lane].open
        self._lanes.close(lane if error.lane is not None else None)
        self._again(index, error, 0.0)
        if not self._lanes.open:
            self._halt(ServiceError(f"{error}{self._breaker.kept}"))
        elif was_open:
            others = self._lanes.open
            go_on = "1 other key goes on" if others == 1 else f"{others} other keys go on"
            self._note(f"{error}; {go_on}")

    def _halt(self, error: Exception) -> None:
        if self._why is None:
            self._why = error
        if isinstance(error, BudgetError):
            self._stop.set()  # what is in flight is waited for
        else:
            self.stop()

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, Any]) -> Any:
        """Wait, but not beyond the reason to stop; None where that came first."""
        task, stop = asyncio.ensure_future(waiting), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _given_up(count: int, error: TransientError) -> RejectedError:
    tried = f"{count} attempt{'s' if count > 1 else ''}"
    enough = FLAGGED if error.generation else REFUSED
    why = RejectedError(f"no reply after {tried}: {error}", enough=enough)
    why.usage = error.usage
    return why


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _run_anywhere(work: Callable[[], None]) -> None:
    """Run here, or in a thread of its own where this one already has a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        work()
        return
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=guarded, name="llm requests")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
