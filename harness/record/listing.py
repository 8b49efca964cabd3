"""The runs below a folder, finished and unfinished."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CommandError, RunError
from harness.record import layout
from harness.record.failures import Failure, read_failure
from harness.record.folder import RunFolder
from harness.results import RunResult, StageResult, load_result, load_stages


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run folder.

    Attributes:
        path: of the folder.
        state: ``finished``, ``running``, ``failed``, ``stopped`` (killed, interrupted, by its
            budget) or ``damaged``.
        stages: those that are recorded.
        result: of a finished run.
        reason: why it failed or was stopped, or what is damaged; empty if unknown.
    """

    path: Path
    state: str
    stages: Sequence[StageResult] = ()
    result: RunResult | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """``task/run-id``."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def problem(self) -> str:
        """What is damaged; empty if nothing is."""
        return self.reason if self.state == "damaged" else ""


def list_runs(out: Path) -> list[ListedRun]:
    """Every run below ``out/<task>/``, by name; a damaged one does not hide the others."""
    return [_listed(path) for path in layout.run_folders(out)]


def find_run(name: str, out: Path) -> Path:
    """The folder of a run by its id below ``out``, or its path; else a ``CommandError``."""
    if Path(name).is_dir() and layout.is_run(Path(name)):
        return Path(name)
    found = [path for path in layout.run_folders(out) if path.name == name]
    if not found:
        raise CommandError(f"no run {name!r} below {out}; harness runs lists them")
    return found[0]


def _listed(path: Path) -> ListedRun:
    stages: Sequence[StageResult] = ()
    try:
        folder = RunFolder(path)
        if folder.has(layout.STAGES):
            stages = folder.read(layout.STAGES, load_stages)
        if folder.has(layout.RESULT):
            return ListedRun(path, "finished", stages, folder.read(layout.RESULT, load_result))
        if _alive(path):
            return ListedRun(path, "running", stages)
    except (RunError, OSError) as error:
        problem = str(error) if isinstance(error, RunError) else f"{path}: damaged ({error})"
        return ListedRun(path, "damaged", stages, reason=problem)
    failure = read_failure(path) or Failure("stopped", "")
    return ListedRun(path, failure.state, stages, reason=failure.reason)


def _alive(path: Path) -> bool:
    try:
        values = json.loads((path / layout.HOLDER).read_text(encoding="utf-8"))
        if values["host"] != socket.gethostname():
            return True
        os.kill(int(values["pid"]), 0)
    except PermissionError:
        return True  # another user's process
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return False
    return True
