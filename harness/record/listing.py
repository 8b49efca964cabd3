"""The runs below a folder, finished and unfinished."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CommandError, RunError
from harness.record.folder import HOLDER, RunFolder
from harness.results import RunResult, load_result

__all__ = ["ListedRun", "find_run", "list_runs"]

FILES = frozenset({"config.toml", "result.json", "checksums.json"})


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run folder.

    Attributes:
        path: the folder.
        state: ``finished``, ``running``, ``stopped`` or ``damaged``.
        stages: stages recorded so far.
        result: of a finished run.
        problem: of a damaged one, in words.
    """

    path: Path
    state: str
    stages: int
    result: RunResult | None = None
    problem: str = ""


def list_runs(out: Path) -> list[ListedRun]:
    """Every run below ``out/<task>/``, by name; a damaged one does not hide the others."""
    return [_listed(path) for path in _folders(out)]


def find_run(name: str, out: Path) -> Path:
    """The folder of a run by its id below ``out``, or by its path.

    Raises:
        CommandError: if there is none.
    """
    if Path(name).is_dir() and _is_run(Path(name)):
        return Path(name)
    found = [path for path in _folders(out) if path.name == name]
    if not found:
        raise CommandError(f"no run {name!r} below {out}; harness runs lists them")
    return found[0]


def _folders(out: Path) -> list[Path]:
    return sorted(path for path in out.glob("*/*") if path.is_dir() and _is_run(path))


def _is_run(path: Path) -> bool:
    """Whether any file of a run is left in a folder, even one that cannot be opened."""
    try:
        return not FILES.isdisjoint(entry.name for entry in path.iterdir())
    except OSError:
        return True


def _listed(path: Path) -> ListedRun:
    count = 0
    try:
        stages = path / "stages.jsonl"
        count = stages.read_bytes().count(b"\n") if stages.exists() else 0
        if not (path / "result.json").exists():
            return ListedRun(path, "running" if _alive(path) else "stopped", count)
        result = RunFolder(path).read("result.json", load_result)
    except (RunError, OSError) as error:
        said = str(error) if isinstance(error, RunError) else f"{path}: damaged ({error})"
        return ListedRun(path, "damaged", count, problem=said)
    return ListedRun(path, "finished", count, result)


def _alive(path: Path) -> bool:
    try:
        values = json.loads((path / HOLDER).read_text(encoding="utf-8"))
        if values["host"] != socket.gethostname():
            return True
        os.kill(int(values["pid"]), 0)
    except PermissionError:
        return True  # somebody else's process
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return False
    return True
