"""Before any test imports torch."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# As the command does: threads that wait must not spin where another program has the core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores; each for itself would start as many threads as there are.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """What imports and collection made stays: each training collects garbage, and need not visit
    all objects of libraries and tests, which takes longer than a small training."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_loss_of_power() -> Iterator[None]:
    """Files need not reach the disk: dozens of waits a run, which nothing in a test can see."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, a wide terminal, and nothing else from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("HARNESS_DATA", "HARNESS_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sweeps_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps do their runs in this process, which has imported all that these need."""
    from harness.plugin_manager import Plugins
    from harness.sweep import jobs
    from harness.sweep.worker import in_this_process

    def here(work: jobs.Work) -> None:
        in_this_process(Plugins(**work.crew.plugins))(work)

    monkeypatch.setattr(jobs, "in_processes", here)
