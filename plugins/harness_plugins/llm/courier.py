"""The courier: a small process that keeps the connections, and replies until they are safe.

A process that is killed loses what lies in its memory and in the kernel's buffers of its
sockets; the replies there are paid for and would be bought again. So the sockets belong to this
process, which outlives its parent: it holds each reply until the parent says that it is
committed. If the parent is gone without a farewell, nothing new is asked, the requests under way
are waited for (their timeout at most), and what comes is written into the cache of replies from
here. Everything else, limits, retries, budget, cache, is the parent's.

What it cannot do: outlive itself. ``kill -9`` of this process, of all processes of the machine or
container, or a loss of power takes what is under way with it.

Started by ``CourierBackend`` as ``python -m harness_plugins.llm.courier SOCKET``, the number of a
descriptor that it inherits. Nothing heavy is imported, as somebody waits.
"""

from __future__ import annotations

import asyncio
import gc
import marshal
import os
import pickle
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.errors import HarnessError
from harness_plugins.llm.backends.choice import backend_of
from harness_plugins.llm.calls import Call
from harness_plugins.llm.courier_frames import (
    TOGETHER,
    Link,
    frame,
    packed_result,
    read_descriptor,
    read_frame,
    unpacked_call,
)
from harness_plugins.llm.courier_heir import Estate, Heir, Held
from harness_plugins.llm.courier_lock import release
from harness_plugins.llm.failures import SendingError
from harness_plugins.llm.keys import redactor_for

if TYPE_CHECKING:
    from harness_plugins.llm.sender import Backend

__all__ = ["Words", "main"]

Words: TypeAlias = tuple[str, list[tuple[int, int, bytes]], list[int], list[int], bool]
"""What the parent says in one frame: the run's record; calls, each with its number and lane;
numbers of those that are committed, and of those that are not wanted; whether this is the end."""

CLOSE_SECONDS = 2.0
"""For closing connections in order."""


class Courier:
    """Sends what the parent asks for, and holds what comes.

    Args:
        estate: whose replies these are.
        backend: sends.
        channel: to the parent.
    """

    def __init__(self, estate: Estate, backend: Backend, channel: socket.socket) -> None:
        self._estate, self._backend, self._channel = estate, backend, channel
        self._redact = redactor_for(estate.settings.key_file)
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._held: dict[int, Held] = {}
        self._outgoing: list[tuple[int, bytes | str]] = []
        self._farewell = False

    async def run(self) -> None:
        """Serve until the parent says farewell, or is gone."""
        self._ended = asyncio.Event()
        self._link = Link(self._channel, self._asked, self._ended.set)
        await self._ended.wait()
        self._link.close()
        if self._farewell:
            await self._drop()
        await self._bequeath(0.0 if self._farewell else self._estate.settings.pace.timeout)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._backend.close()
        except TimeoutError:
            pass  # the end of the process closes them

    def _asked(self, said: Words) -> None:
        record, calls, safe, unwanted, farewell = said
        for number in safe:
            self._held.pop(number, None)
        for number in unwanted:
            if task := self._under_way.get(number):
                task.cancel()  # one that is there already stays: it is paid for
        for number, lane, packed in calls:
            call = unpacked_call(packed)
            task = asyncio.create_task(self._carry(number, call, lane, record))
            self._under_way[number] = task
        if farewell:
            self._farewell = True
            self._ended.set()

    async def _carry(self, number: int, call: Call, lane: int, record: str) -> None:
        said: bytes | str
        try:
            reply = await self._backend.send(call, lane)
            # Nothing is awaited between here and the moment at which the reply is held.
            self._held[number] = Held(call, record, reply)
            said = packed_result(reply)
        except SendingError as error:
            said = packed_result(error)
        except Exception as error:  # a mistake: told in one line, like all that stops a run
            said = self._redact(f"{type(error).__name__}: {error}")
        finally:
            self._under_way.pop(number, None)
        self._outgoing.append((number, said))
        if len(self._outgoing) >= TOGETHER:
            self._tell()
        elif len(self._outgoing) == 1:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """One frame for what has come in one turn of the loop, if that is not much."""
        if self._outgoing:
            said, self._outgoing = self._outgoing, []
            self._link.say(said)

    async def _drop(self) -> None:
        """End what is under way: the parent does not want it any more."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _bequeath(self, patience: float) -> None:
        """Keep what is held, and what comes within so many seconds."""
        if not self._held and not self._under_way:
            return
        end = asyncio.get_running_loop().time() + patience
        with Heir(self._estate) as heir:
            while True:
                heir.keep(list(self._held.values()))
                self._held.clear()
                left = end - asyncio.get_running_loop().time()
                if not self._under_way or left <= 0:
                    return
                await asyncio.wait(
                    self._under_way.values(),
                    timeout=left,
                    return_when=asyncio.FIRST_COMPLETED,
                )


def main() -> None:
    """Be the courier of the process that has started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    channel = socket.socket(fileno=int(sys.argv[1]))
    greeting = read_frame(channel)
    if greeting is None:
        return
    estate: Estate = pickle.loads(greeting)
    backend = _backend(estate, channel)
    if backend is None or (lock := read_descriptor(channel)) is None:
        return  # nothing was asked
    gc.collect()
    gc.freeze()  # what is imported is never searched for garbage again
    try:
        asyncio.run(Courier(estate, backend, channel).run())
    finally:
        release(lock, estate.replies, estate.run_id)


def _backend(estate: Estate, channel: socket.socket) -> Backend | None:
    """Make it and tell its lanes, or tell why it cannot be made."""
    backend: Backend | None = None
    said: tuple[Any, ...]
    try:
        backend = backend_of(estate.settings)
        said = ("lanes", backend.lanes)
    except HarnessError as error:
        said = (type(error).__name__, str(error))
    except Exception as error:
        redact = redactor_for(estate.settings.key_file)
        said = ("ServiceError", redact(f"{estate.settings.endpoint}: {error!r}"))
    channel.sendall(frame(marshal.dumps(said)))
    return backend


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # nothing is left to be tidied up
