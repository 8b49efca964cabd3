"""Signals while requests are in flight: what was sent is taken in before they interrupt."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.errors import REPEAT_SECONDS, SIGNALS, interrupt


@contextmanager
def deferred(stop: Callable[[], object]) -> Iterator[None]:
    """Let the first signal that would interrupt the block call ``stop``, which is to end it soon.

    The signal interrupts at the block's end; a second one at once. Handlers that neither Python
    nor the command line has set are left alone, and only the main thread gets signals at all.

    Raises:
        KeyboardInterrupt: ``Interrupted`` on the command line.
    """
    known = (signal.default_int_handler, interrupt)
    handlers = {n: one for n in SIGNALS if callable(one := signal.getsignal(n)) and one in known}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}
    came: list[tuple[int, float]] = []

    def handle(number: int, frame: object) -> None:
        now = time.monotonic()
        if not came:
            came.append((number, now))
            stop()
        elif number != came[0][0] or now - came[0][1] > REPEAT_SECONDS:
            handlers[number](number, None)

    for number in handlers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            handlers[came[0][0]](came[0][0], None)
