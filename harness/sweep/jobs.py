"""Runs of a sweep in processes of this machine: they share cores and memory, and what they did."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from harness.record import layout
from harness.record.folder import RunFolder
from harness.results import load_result
from harness.sweep.grid import Fixed, Job
from harness.sweep.states import JobState, SweepWatcher

WORKER = "harness.sweep.worker"
END_SECONDS = 12.0
"""A worker that is asked to end has this long: it first takes in what is on its way."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does the runs.

    Attributes:
        processes: how many at a time.
        plugins: arguments of ``Plugins``: extra, without, third_party.
    """

    processes: int
    plugins: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """The runs that are left.

    Attributes:
        left, states: those to do, each once, and all of the sweep.
        orders: a line of JSON for each, by the path of the run.
        crew: who does them.
        watcher: sees their states.
    """

    left: Sequence[JobState]
    states: Sequence[JobState]
    orders: Mapping[Path, str]
    crew: Crew
    watcher: SweepWatcher

    def take(self, state: JobState, event: Mapping[str, Any]) -> None:
        """Note what is said of a run."""
        if "noted" in event:
            self.watcher.noted(f"{state.job.name}: {event['noted']}")
            return
        for key, value in event.items():
            setattr(state, key, value)
        self.watcher.changed(state, self.states)


GoThrough: TypeAlias = Callable[[Work], None]
"""How they are done."""


def do_jobs(
    jobs: Sequence[Job],
    fixed: Fixed,
    crew: Crew,
    watcher: SweepWatcher,
    go_through: GoThrough | None = None,
) -> list[JobState]:
    """Do what is not finished; what fails is tried once more at the end.

    ``go_through``: how; None: in processes of this machine. A failing run stops no other. Where
    this process is killed, its workers end, too, and the same call goes on with what is missing.
    """
    states = [JobState(job, "found" if _finished(job.path) else "waiting") for job in jobs]
    if found := sum(state.finished for state in states):
        watcher.noted(f"{found} of {len(states)} runs were finished before")
    wanted = [_order(job, jobs, fixed) for job in jobs]
    orders = dict(zip((job.path for job in jobs), wanted, strict=True))
    for _ in range(2):
        if left := [one for one in states if one.state == "waiting"]:
            (go_through or in_processes)(Work(left, states, orders, crew, watcher))
        for one in states:
            if one.state == "failed" and one.tries < 2:
                watcher.noted(f"{one.job.name}: failed, and is tried once more: {one.error}")
                one.state = "waiting"
    return states


def _finished(path: Path) -> bool:
    try:
        RunFolder(path).read(layout.RESULT, load_result)
    except Exception:
        return False  # missing or damaged: the run itself says what is wrong
    return True


def _order(job: Job, jobs: Sequence[Job], fixed: Fixed) -> str:
    """A run as a worker reads it: one line of JSON."""
    values = {
        "config_file": None if fixed.file is None else str(fixed.file),
        "settings": fixed.settings,
        "values": fixed.values,
        "below": job.below,
        "above": job.above,
        "data": None if fixed.data is None else str(fixed.data),
        "out": str(fixed.out),
        "together": [one.run_id for one in jobs],
    }
    return json.dumps(values)


def in_processes(work: Work) -> None:
    """Do runs in processes of this machine, which share its cores."""
    waiting: queue.SimpleQueue[JobState] = queue.SimpleQueue()
    for one in work.left:
        waiting.put(one)
    events: queue.SimpleQueue[tuple[JobState, dict[str, Any]] | None] = queue.SimpleQueue()
    crew, orders = work.crew, work.orders
    workers = [_Worker(number, crew, waiting, events, orders) for number in range(crew.processes)]
    workers = workers[: len(work.left)]
    try:
        for worker in workers:
            worker.thread.start()
        open_ = len(workers)
        while open_:
            event = events.get()
            if event is None:
                open_ -= 1
            else:
                work.take(*event)
    finally:
        for worker in workers:
            worker.ask_to_end()
        for worker in workers:
            worker.wait()


class _Worker:
    """A process that does one run after another, and the thread that speaks with it."""

    def __init__(
        self,
        number: int,
        crew: Crew,
        waiting: queue.SimpleQueue[JobState],
        events: queue.SimpleQueue[tuple[JobState, dict[str, Any]] | None],
        orders: Mapping[Path, str],
    ) -> None:
        self._crew, self._number = crew, number
        self._waiting, self._events, self._orders = waiting, events, orders
        self._process: subprocess.Popen[str] | None = None
        self._ended = False
        self.thread = threading.Thread(target=self._work, daemon=True)

    def ask_to_end(self) -> None:
        """Interrupt the process in the middle of a run, or let it find that there is no more."""
        self._ended = True
        process = self._process
        if process is not None and process.stdin is not None:
            if self.thread.is_alive():
                process.terminate()
            process.stdin.close()

    def wait(self) -> None:
        """Until the process has ended; not for ever."""
        if (process := self._process) is None:
            return
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        self.thread.join()
        _close(process)

    def _work(self) -> None:
        try:
            with _said() as said:
                while not self._ended:
                    try:
                        state = self._waiting.get_nowait()
                    except queue.Empty:
                        break
                    self._do(state, said)
        finally:
            self._events.put(None)

    def _do(self, state: JobState, said: IO[str]) -> None:
        began = time.monotonic()
        self._events.put((state, {"state": "running", "tries": state.tries + 1, "error": ""}))
        try:
            for event in self._told(self._orders[state.job.path], said):
                self._events.put((state, {**event, "seconds": time.monotonic() - began}))
                if "state" in event:
                    return
        except OSError:
            pass  # the process is gone: below
        if not self._ended and self._process is not None:
            _close(self._process)
            self._process = None
            error = f"its process ended unexpectedly{_last_line(said)}"
            self._events.put((state, {"state": "failed", "error": error, "doing": ""}))

    def _told(self, order: str, said: IO[str]) -> Iterator[dict[str, Any]]:
        """What the process says of a run, until it is gone."""
        if self._process is None or self._process.poll() is not None:
            self._process = _begun(self._number, self._crew, said)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(order + "\n")
        stdin.flush()
        for line in stdout:
            yield json.loads(line)


def _close(process: subprocess.Popen[str]) -> None:
    """Of a process that ends: the pipes to it, and its entry in the system's table."""
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # what was not written any more
                stream.close()


def _begun(number: int, crew: Crew, said: IO[str]) -> subprocess.Popen[str]:
    """A worker's process, in a group of its own: a Ctrl-C reaches it through us alone."""
    return subprocess.Popen(
        [sys.executable, "-m", WORKER, json.dumps(crew.plugins)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        env={**_shares(number, crew.processes), **os.environ, **_gpu(number)},
    )


def _shares(number: int, processes: int) -> dict[str, str]:
    """Each process gets its share of the cores, unless the environment says otherwise."""
    return dict.fromkeys(THREADS, str(max(1, cores() // processes)))


def cores() -> int:
    """Processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _gpu(number: int) -> dict[str, str]:
    """One GPU a process, in turn, where there are several."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = len(list(Path("/dev").glob("nvidia[0-9]*")))
    devices = named.split(",") if named else [str(one) for one in range(there)]
    return {"CUDA_VISIBLE_DEVICES": devices[number % len(devices)]} if len(devices) > 1 else {}


@contextmanager
def _said() -> Iterator[IO[str]]:
    """Where a worker's stderr goes: libraries would write across the table."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        yield said


def _last_line(said: IO[str]) -> str:
    said.seek(0)
    lines = said.read().split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last}" if last else ""
