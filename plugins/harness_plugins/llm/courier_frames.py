"""What a process and its courier say to each other: frames over a pair of sockets.

A frame is its length (four bytes) and a value. Values are builtins written by ``marshal``: both
ends run the same interpreter, it takes every text (also half a surrogate pair, which JSON does
not), and a call takes 4 microseconds where pickling the dataclasses takes 68. Only the first
frame is a pickle: it carries the settings.
"""

from __future__ import annotations

import asyncio
import marshal
import socket
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

from harness_plugins.llm.calls import Call, Message, Reply
from harness_plugins.llm.failures import (
    ClosedError,
    RejectedError,
    SendingError,
    TransientError,
    UnsupportedError,
)

__all__ = [
    "TOGETHER",
    "Link",
    "frame",
    "packed_call",
    "packed_result",
    "read_descriptor",
    "read_frame",
    "send_descriptor",
    "unpacked_call",
    "unpacked_result",
]

TOGETHER = 4
"""So many calls or results at most wait for each other in one frame: in a burst both processes
are at work, not one after the other."""

_LENGTH = struct.Struct("!I")
_READ_BYTES = 1 << 18
_MESSAGES = 4096
"""Messages kept: what calls show in common stands in one after another."""


def frame(payload: bytes) -> bytes:
    """Bytes to write for a value."""
    return _LENGTH.pack(len(payload)) + payload


def read_frame(channel: socket.socket) -> bytes | None:
    """The next frame of a blocking socket; None: the other end is gone."""
    head = _read(channel, _LENGTH.size)
    return None if head is None else _read(channel, _LENGTH.unpack(head)[0])


def send_descriptor(channel: socket.socket, descriptor: int) -> None:
    """Give the other end a descriptor of its own for an open file."""
    socket.send_fds(channel, [b"L"], [descriptor])


def read_descriptor(channel: socket.socket) -> int | None:
    """What ``send_descriptor`` sent; None: the other end is gone."""
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    return descriptors[0] if descriptors else None


class Link:
    """One end of the pair within an event loop.

    Written out by hand: a transport of asyncio and its protocol cost more than the frames.

    Args:
        channel: not blocking from now on.
        received: called with each value.
        ended: called once, when the other end is gone.
    """

    def __init__(
        self,
        channel: socket.socket,
        received: Callable[[Any], None],
        ended: Callable[[], None],
    ) -> None:
        self._channel, self._received, self._ended = channel, received, ended
        self._loop = asyncio.get_running_loop()
        self._came, self._rest = bytearray(), bytearray()
        self._open = True
        channel.setblocking(False)
        self._loop.add_reader(channel, self._readable)

    def say(self, value: Any) -> None:
        """Write a value; what the socket does not take now follows later."""
        if not self._open:
            return
        self._rest += frame(marshal.dumps(value))
        self._writable()

    def close(self) -> None:
        """Neither read nor write any more; the socket stays open."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._channel)
            self._loop.remove_writer(self._channel)

    def _writable(self) -> None:
        try:
            sent = self._channel.send(self._rest)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._end()
            return
        del self._rest[:sent]
        if self._rest:
            self._loop.add_writer(self._channel, self._writable)
        else:
            self._loop.remove_writer(self._channel)

    def _readable(self) -> None:
        try:
            data = self._channel.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        self._came += data
        start = 0
        while len(self._came) - start >= _LENGTH.size:
            end = start + _LENGTH.size + _LENGTH.unpack_from(self._came, start)[0]
            if end > len(self._came):
                break
            self._received(marshal.loads(self._came[start + _LENGTH.size : end]))
            start = end
        del self._came[:start]

    def _end(self) -> None:
        if self._open:
            self.close()
            self._ended()


def packed_call(call: Call) -> bytes:
    """A call, to be part of a frame."""
    return marshal.dumps(
        (
            call.endpoint,
            call.model,
            # Texts of a data set may be of a class of their own, which marshal does not take.
            [(message.role, str.__str__(message.content)) for message in call.messages],
            call.parameters,
            call.response_format,
            call.choices,
            call.sample,
        )
    )


def unpacked_call(packed: bytes) -> Call:
    """The call again; it has the same key."""
    endpoint, model, messages, *others = marshal.loads(packed)
    return Call(endpoint, model, tuple([_message(*turn) for turn in messages]), *others)


def packed_result(result: Reply | SendingError) -> bytes:
    """A reply, or why there is none, to be part of a frame.

    Raises:
        ValueError: if something in it is no builtin.
    """
    return marshal.dumps(_values(result))


def unpacked_result(packed: bytes) -> Reply | SendingError:
    """What ``packed_result`` was given."""
    kind, *others = marshal.loads(packed)
    if kind == "reply":
        return Reply(*others)
    said = others[0]
    if kind == "TransientError":
        _, retry_after, throttled, unreachable = others
        return TransientError(
            said, retry_after=retry_after, throttled=throttled, unreachable=unreachable
        )
    if kind == "UnsupportedError":
        return UnsupportedError(others[1], said)
    if kind == "ClosedError":
        return ClosedError(said, lane=others[1])
    return RejectedError(said) if kind == "RejectedError" else SendingError(said)


def _values(result: Reply | SendingError) -> tuple[Any, ...]:
    """Which of them it is, then its attributes in the order of ``unpacked_result``."""
    if isinstance(result, Reply):
        text, finish, *others = (getattr(result, name) for name in Reply.__slots__)
        return ("reply", str.__str__(text), str.__str__(finish), *others)
    kind = type(result).__name__
    if isinstance(result, TransientError):
        asked = (result.retry_after, result.throttled, result.unreachable)
        return (kind, str(result), *asked)
    if isinstance(result, UnsupportedError):
        return (kind, str(result), result.feature)
    if isinstance(result, ClosedError):
        return (kind, str(result), result.lane)
    return (kind, str(result))


@lru_cache(maxsize=_MESSAGES)
def _message(role: Literal["system", "user", "assistant"], content: str) -> Message:
    return Message(role, content)


def _read(channel: socket.socket, size: int) -> bytes | None:
    came = bytearray()
    while len(came) < size:
        data = channel.recv(size - len(came))
        if not data:
            return None
        came += data
    return bytes(came)
