"""The litellm proxy as a server that nobody here wrote, with its own mock replies; offline."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Proxy", "running_proxy"]

START_SECONDS = 180.0
STOP_SECONDS = 30.0

CONFIG = """
model_list:
  - {model_name: says-positive, litellm_params:
      {model: openai/mock, api_key: none, mock_response: positive}}
  - {model_name: says-negative, litellm_params:
      {model: openai/mock, api_key: none, mock_response: "Label: **negative**."}}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
litellm_settings: {telemetry: false}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that listens.

    Attributes:
        url: what ``annotator.base_url`` is set to.
        key: its master key, drawn for this process.
        pid: of its process.
        seconds: until it answered.
    """

    url: str
    key: str = field(repr=False)
    pid: int
    seconds: float


@contextmanager
def running_proxy(folder: Path) -> Iterator[Proxy]:
    """The proxy in a process of its own, which is gone, with its children, after the block."""
    key, port = f"sk-{secrets.token_hex(24)}", _free_port()
    config = folder / "proxy.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    program = Path(sys.executable).with_name("litellm")
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment |= {
        "HOME": str(folder),
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    arguments = ["--config", config, "--host", "127.0.0.1", "--port", str(port)]
    began = time.monotonic()
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *arguments], env=environment, cwd=folder, stdout=log, stderr=log
        )
        try:
            _wait_until_healthy(process, f"http://127.0.0.1:{port}", folder / "proxy.log")
            seconds = time.monotonic() - began
            yield Proxy(f"http://127.0.0.1:{port}/v1", key, process.pid, seconds)
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_until_healthy(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health/liveliness", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    raise AssertionError(f"the proxy did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process that was started and its children, each by its own id."""
    family: list[psutil.Process] = []
    if process.poll() is None:
        own = psutil.Process(process.pid)
        family = own.children(recursive=True)
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(family, 5)
    for child in alive:
        child.kill()
    assert not psutil.wait_procs(alive, 5)[1]
