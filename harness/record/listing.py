"""The runs below a folder, finished and unfinished."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CommandError, RunError
from harness.record import layout
from harness.record.folder import RunFolder
from harness.results import RunResult, load_result


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run folder, ``finished``, ``running``, ``stopped`` or ``damaged`` (``problem``).

    ``stages`` counts the recorded ones; a finished run has a result.
    """

    path: Path
    state: str
    stages: int
    result: RunResult | None = None
    problem: str = ""


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
    count = 0
    try:
        stages = path / layout.STAGES
        count = stages.read_bytes().count(b"\n") if stages.exists() else 0
        if not (path / layout.RESULT).exists():
            return ListedRun(path, "running" if _alive(path) else "stopped", count)
        result = RunFolder(path).read(layout.RESULT, load_result)
    except (RunError, OSError) as error:
        problem = str(error) if isinstance(error, RunError) else f"{path}: damaged ({error})"
        return ListedRun(path, "damaged", count, problem=problem)
    return ListedRun(path, "finished", count, result)


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
