"""Runs of a sweep as Ray tasks, on this machine or on those of a cluster.

Ray decides where each run goes, and does it elsewhere where a node dies: a run goes on from what
it has recorded in the shared folder.
"""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from harness.errors import CommandError, describe
from harness.plugin_manager import Plugins
from harness.specs import parse_spec
from harness.sweep.jobs import GoThrough, Work, cores
from harness.sweep.states import JobState, SweepWatcher
from harness.sweep.worker import done

RETRIES = 10
"""Nodes that may die under one run."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where tasks go: the address of a cluster (None: Ray is started here) and what each gets."""

    address: str | None
    cpus: int | None
    gpus: float


def on_ray(text: str) -> GoThrough:
    """What ``--on`` asks for: ``ray``, ``ray:ADDRESS``, ``ray:ADDRESS,cpus=4,gpus=1``.

    Each run gets the CPUs (default: on this machine its share of the cores, in a cluster 1) and
    the GPUs (default: 0) that are named. On this machine as many run at a time as the crew has
    processes, in a cluster as many as fit.

    Raises:
        CommandError: for another text, or without Ray.
    """
    return partial(_go_through, cluster_of(text))


def cluster_of(text: str) -> Cluster:
    """The cluster that ``--on`` names, likewise."""
    spec = parse_spec(text)
    spec.check_options("cpus", "gpus")
    if spec.name != "ray":
        raise CommandError(f"--on {text}: write ray, or ray:ADDRESS")
    _ray()
    cpus, gpus = spec.option("cpus", None, int), spec.option("gpus", 0.0, float)
    if (cpus is not None and cpus < 1) or gpus < 0:
        raise CommandError(f"--on {text}: cpus is 1 or more, gpus 0 or more")
    return Cluster(spec.argument, cpus, gpus)


def commands_on_ray(
    cluster: Cluster, commands: Sequence[Sequence[str]]
) -> Iterator[tuple[int, int, str]]:
    """Do commands of this program as Ray tasks: the place, exit code and stderr of each that ends.

    Args:
        cluster: where.
        commands: the arguments of each, with absolute paths that all nodes have.
            As many run at a time as there are cores, in a cluster as many as fit.
    """
    ray, cpus = _ray(), cluster.cpus or 1
    with _connected(cluster, max(cpus, cores())):
        _refuse_what_fits_nowhere(cpus, cluster.gpus)
        task = ray.remote(num_cpus=cpus, num_gpus=cluster.gpus, max_retries=RETRIES)(_call)
        running = {task.remote(list(one)): place for place, one in enumerate(commands)}
        while running:
            (ended,), _ = ray.wait(list(running), num_returns=1)
            place = running.pop(ended)
            try:
                yield (place, *ray.get(ended))
            except ray.exceptions.RayError as error:
                yield place, 1, f"its Ray task was lost: {str(error).splitlines()[0]}"


def _call(command: Sequence[str]) -> tuple[int, str]:
    """A command in a process of its own, on whichever node."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *command], capture_output=True, encoding="utf-8"
    )
    return done.returncode, done.stderr


def _refuse_what_fits_nowhere(cpus: int, gpus: float) -> None:
    """A ``CommandError`` where no node has what a task asks for: it would wait for ever."""
    nodes = [one["Resources"] for one in _ray().nodes() if one["Alive"]]
    if not any(one.get("CPU", 0) >= cpus and one.get("GPU", 0) >= gpus for one in nodes):
        most = {key: max((one.get(key, 0) for one in nodes), default=0) for key in ("CPU", "GPU")}
        raise CommandError(
            f"--on ray: no node has {cpus} CPUs and {gpus:g} GPUs; the largest have "
            f"{most['CPU']:g} CPUs and {most['GPU']:g} GPUs"
        )


def _ray() -> Any:
    """Ray, imported only where it is asked for."""
    try:
        import ray
    except ImportError:
        raise CommandError("--on ray needs Ray: pip install 'freeal-harness[ray]'") from None
    return ray


def _go_through(cluster: Cluster, work: Work) -> None:
    crew, watcher = work.crew, work.watcher
    ray = _ray()
    local = cluster.address is None
    cpus = cluster.cpus or (max(1, cores() // crew.processes) if local else 1)
    waiting = deque(work.left)
    running: dict[Any, tuple[JobState, float]] = {}
    plugins, folder = json.dumps(crew.plugins), str(Path.cwd())
    with _connected(cluster, cpus * crew.processes):
        _refuse_what_fits_nowhere(cpus, cluster.gpus)
        wanted = {"num_cpus": cpus, "num_gpus": cluster.gpus, "max_retries": RETRIES}
        task, nodes = ray.remote(**wanted)(_do), 0
        while waiting or running:
            while waiting and len(running) < _fitting(cpus, cluster.gpus):
                state = waiting.popleft()
                order = task.remote(work.orders[state.job.path], plugins, folder)
                running[order] = state, time.monotonic()
                begun = {"state": "running", "tries": state.tries + 1, "error": ""}
                work.take(state, begun)
            (ended,), _ = ray.wait(list(running), num_returns=1)
            nodes = _note_lost(nodes, watcher)
            state, began = running.pop(ended)
            for event in _events(ended):
                event = {**event, "seconds": time.monotonic() - began}
                work.take(state, event)


def _note_lost(before: int, watcher: SweepWatcher) -> int:
    """How many nodes live; a note if there were more before."""
    now = sum(1 for node in _ray().nodes() if node["Alive"])
    if now < before:
        watcher.noted(f"{before - now} of {before} nodes died; their runs go on elsewhere")
    return now


def _events(ended: Any) -> list[dict[str, Any]]:
    """What a run said."""
    ray = _ray()
    try:
        events: list[dict[str, Any]] = ray.get(ended)
    except ray.exceptions.RayError as error:
        said = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        return [{"state": "failed", "error": f"its Ray task was lost: {said.strip()}", "doing": ""}]
    return events


def _do(order: str, plugins: str, folder: str) -> list[dict[str, Any]]:
    """A run, on whichever node; its notes, and its last state."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as ``harness.cli.app``
    events: list[dict[str, Any]] = []
    try:
        os.chdir(folder)  # the paths of a command are relative to it
    except OSError as error:
        said = f"{folder} is not on node {socket.gethostname()}: {error.strerror}"
        return [{"state": "failed", "error": f"{said}; start Ray where it is shared", "doing": ""}]

    def tell(event: Mapping[str, Any]) -> None:
        if "noted" in event:
            events.append(dict(event))

    return [*events, done(json.loads(order), _plugins(plugins), tell)]


@lru_cache(maxsize=1)
def _plugins(arguments: str) -> Plugins:
    return Plugins(**json.loads(arguments))


def _fitting(cpus: int, gpus: float) -> int:
    """How many runs the nodes that live now have room for, at least one."""
    there = _ray().cluster_resources()
    most = there.get("CPU", 0.0) // cpus
    return max(1, int(min(most, there.get("GPU", 0.0) // gpus) if gpus else most))


def _knock(address: str) -> None:
    """An ``OSError`` where nothing listens: Ray itself would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@contextmanager
def _connected(cluster: Cluster, cpus: int) -> Iterator[None]:
    """Ray, started here or found there; what is unfinished ends with the block."""
    ray = _ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
    ours = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    size: dict[str, Any] = {"address": cluster.address or "local"}
    if cluster.address is None:
        size["num_cpus"] = cpus
    try:
        _knock(cluster.address or "")
        ray.init(**size, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        where = "this machine" if cluster.address is None else cluster.address
        raise CommandError(f"--on ray: no Ray at {where}: {describe(error)}") from None
    for number, handler in ours.items():
        signal.signal(number, handler)  # Ray's own would end us without a word
    with redirect_stdout(io.StringIO()):  # Ray prints its log of a node that dies
        try:
            yield
        finally:
            ray.shutdown()  # which prints, too
