"""A process that does runs of a sweep: orders come in as lines of JSON, states go out.

When the sweep's own process is gone, its end of the pipe closes: the run is then interrupted as by
SIGTERM, so that replies on their way are kept, and the process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import SIGNALS, BudgetError, HarnessError, interrupt
from harness.plugin_manager import Plugins
from harness.record import layout
from harness.record.step_store import StepStore
from harness.results import Watcher
from harness.run.single import run_single
from harness.run.steps import Ledger, Sharing
from harness.sweep.grid import Fixed
from harness.sweep.jobs import GoThrough, Work

REPORT_SECONDS = 0.5
"""Least time between two reports of progress."""

Tell = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Do what stdin asks for, until it closes."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as ``harness.cli.app``
    tell = _only_we_write()
    orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_listen, args=(orders, busy), daemon=True).start()
    for number in SIGNALS:
        signal.signal(number, interrupt)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plugins = Plugins(**json.loads(sys.argv[1]))
    try:
        while (order := orders.get()) is not None:
            busy.set()
            tell(done(json.loads(order), plugins, tell))
            busy.clear()
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(143)  # what is recorded stays; nobody is there to be told


def _listen(orders: queue.SimpleQueue[str | None], busy: threading.Event) -> None:
    for line in sys.stdin:
        orders.put(line)
    if busy.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(12.0)  # as ``jobs.END_SECONDS``
        os._exit(143)
    orders.put(None)


def _only_we_write() -> Tell:
    """Keep stdout for states; whatever else is printed goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(event: Mapping[str, Any]) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    return tell


def done(order: Mapping[str, Any], plugins: Plugins, tell: Tell) -> dict[str, Any]:
    """Do a run as an order says (``jobs``), and tell what it does; its last state."""
    ledger = Ledger()
    try:
        _do(order, plugins, tell, ledger)
        ended = {"state": "done"}
    except BudgetError as error:
        ended = {"state": "stopped", "error": str(error)}
    except HarnessError as error:
        ended = {"state": "failed", "error": str(error)}
    except Exception as error:
        said = " ".join(str(error).split())
        ended = {"state": "failed", "error": f"unforeseen error: {type(error).__name__}: {said}"}
    return {**ended, "doing": "", "did": ledger.done, "shared": ledger.shared}


def _do(order: Mapping[str, Any], plugins: Plugins, tell: Tell, ledger: Ledger) -> None:
    file, data, out = (order[key] and Path(order[key]) for key in ("config_file", "data", "out"))
    fixed = Fixed(file, tuple(order["settings"]), order["values"], data, out)
    config = fixed.config(order["below"], order["above"], plugins)
    store = StepStore(out / layout.STEPS)
    sharing = Sharing(store, tuple(order["together"]), ledger)

    @contextlib.contextmanager
    def watching(name: str) -> Iterator[Watcher]:
        yield _Told(tell)

    run_single(config, plugins, data, out, watching, sharing=sharing)


def in_this_process(plugins: Plugins) -> GoThrough:
    """One run after another, here: with parts that no other process could load."""

    def go_through(work: Work) -> None:
        for state in work.left:
            began = time.monotonic()
            work.take(state, {"state": "running", "tries": state.tries + 1, "error": ""})
            order = json.loads(work.orders[state.job.path])
            ended = done(order, plugins, partial(work.take, state))
            work.take(state, {**ended, "seconds": time.monotonic() - began})

    return go_through


class _Told(Watcher):
    """Passes on what a run does."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._doing, self._last = tell, "", 0.0

    def began(self, stage: str, actor: str, activity: str) -> None:
        """At once."""
        self._doing = f"{stage} {activity}"
        self._tell({"doing": self._doing})

    def advanced(self, done: int, total: int) -> None:
        """Now and then."""
        if (now := time.monotonic()) - self._last > REPORT_SECONDS:
            self._last = now
            self._tell({"doing": f"{self._doing} {done}/{total}"})

    def noted(self, message: str) -> None:
        """At once."""
        self._tell({"noted": message})


if __name__ == "__main__":
    main()
