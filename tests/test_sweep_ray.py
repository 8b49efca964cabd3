"""The same sweep as Ray tasks: the same results, also where a node dies in the middle.

Run where the extra `ray` is installed, which 240 MB and nodes of up to a minute keep out of `dev`.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from harness.record import layout
from tests.commands import PROGRAM, call, call_process, message
from tests.killing import until

pytest.importorskip("ray", reason="needs the extra 'ray'")
pytestmark = pytest.mark.slow

RAY = Path(sys.executable).with_name("ray")
RECIPE = """
summary = "two ways"
baseline = "usual"
[settings]
rounds = 2
[[rows]]
label = "usual"
[[rows]]
label = "placebo"
settings = { selector.query = "none" }
"""
SMALL = ("--task", "demo", "--annotator", "noisy:0.2", "--student", "tfidf", "--limit", "40")
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def a_cluster_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not know the token, which nobody keeps, cannot send our nodes anything."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE)
    return path


def _node(*options: str) -> subprocess.Popen[bytes]:
    """A node of a cluster with one processor, until it is stopped."""
    return subprocess.Popen(
        [str(RAY), "start", "--block", "--node-ip-address=127.0.0.1", "--num-cpus=1", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def cluster(a_cluster_of_our_own: None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a head node, and a second node's process."""
    port = _free_port()
    head = _node("--head", f"--port={port}", "--include-dashboard=false")
    until(lambda: _answers(port))
    second = _node(f"--address=127.0.0.1:{port}")
    yield f"127.0.0.1:{port}", second
    for node in (second, head):
        node.terminate()
        node.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _below(pid: int) -> dict[int, str]:
    """Processes that a process started, and those that they started, with their names."""
    said = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True)
    rows = [line.split(maxsplit=2) for line in said.stdout.splitlines()]
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for child, of, name in rows:
            if int(of) == parent:
                found[int(child)] = name
                waiting.append(int(child))
    return found


def _holders(out: Path) -> set[int]:
    """The processes that hold a run."""
    found = set()
    for path in out.glob(f"demo/*/{layout.HOLDER}"):
        with suppress(OSError, ValueError):
            found.add(int(json.loads(path.read_text())["pid"]))
    return found


def results(out: Path) -> dict[str, Any]:
    """Every ``result.json`` without its times, by its run."""
    found = {}
    for path in out.glob(f"demo/*/{layout.RESULT}"):
        values = json.loads(path.read_text())
        for timed in (values, *values["stages"]):
            timed.pop("seconds")
        found[path.parent.name] = values
    return found


def test_jobs_and_ray_give_the_same_results(recipe: Path, tmp_path: Path) -> None:
    for name, more in (("jobs", ()), ("ray", ("--on", "ray"))):
        command = ("sweep", recipe, *SMALL, "--seeds", "0-1", "--jobs", "2", *more, "--json")
        done = call_process(*command, "--out", tmp_path / name, cwd=tmp_path)
        assert done.code == 0, done.stderr
        assert {one["state"] for one in json.loads(done.stdout)["runs"]} == {"done"}
    assert len(results(tmp_path / "ray")) == 4
    assert results(tmp_path / "ray") == results(tmp_path / "jobs")


def test_files_are_labelled_as_without_ray(tmp_path: Path) -> None:
    from tests.benchmarks.predict import write_model

    model = write_model(tmp_path, "tiny")
    files = [tmp_path / f"{name}.csv" for name in "ab"]
    for file in files:
        file.write_text(f"text,id\nwhere is my parcel,{file.stem}\n")
    for out, more in (("plain", ()), ("ray", ("--on", "ray"))):
        done = call_process("predict", model, *files, "-o", out, *more, cwd=tmp_path)
        assert done.code == 0, done.stderr
    for file in files:
        assert (tmp_path / "ray" / file.name).read_bytes() == (
            tmp_path / "plain" / file.name
        ).read_bytes()
    never = call_process("predict", model, files[0], "-o", "n", "--on", "ray:,gpus=9", cwd=tmp_path)
    assert "no node has 1 CPUs and 9 GPUs" in message(never, 2)


@pytest.mark.timeout(600)  # nodes are slow to start on a busy machine
def test_a_node_that_dies_during_a_sweep_loses_nothing(
    recipe: Path, tmp_path: Path, cluster: tuple[str, subprocess.Popen[bytes]]
) -> None:
    address, second = cluster
    out = tmp_path / "out"
    command = [str(PROGRAM), "sweep", str(recipe), *SMALL, "--seeds", "0-3", "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--on", f"ray:{address}", "--json"], stdout=subprocess.PIPE, text=True
    )
    until(lambda: bool(_holders(out) & set(_below(second.pid))), 240)
    raylet = next(pid for pid, name in _below(second.pid).items() if name == "raylet")
    os.kill(raylet, signal.SIGKILL)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert said.startswith("{"), said[:2000]
    assert {one["state"] for one in json.loads(said)["runs"]} == {"done"}
    done = call_process(*command[1:-1], tmp_path / "here", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert len(results(out)) == 8 and results(out) == results(tmp_path / "here")


def test_what_is_wrong_with_a_cluster_is_one_line(recipe: Path, tmp_path: Path) -> None:
    assert "write ray, or ray:ADDRESS" in message(call("sweep", recipe, "--on", "slurm"), 2)
    where = f"ray:127.0.0.1:{_free_port()}"
    command = ("sweep", recipe, *SMALL, "--on", where, "--out", tmp_path / "out")
    record = layout.sweep_file(tmp_path / "out", recipe.stem)
    for earlier in (None, '{"rows": [], "baseline": null}'):
        if earlier:
            record.write_text(earlier)
        done = call_process(*command, cwd=tmp_path)
        assert done.code == 2 and "--on ray: no Ray at 127.0.0.1:" in done.stderr.splitlines()[-1]
        assert (record.read_text() if record.exists() else None) == earlier
