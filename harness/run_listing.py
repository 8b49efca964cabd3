"""The runs below a folder, finished and unfinished."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CommandError
from harness.results import RunResult, load_result
from harness.run_folder import HOLDER, RunFolder

__all__ = ["ListedRun", "find_run", "finished_results", "list_runs"]


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run folder.

    Attributes:
        path: the folder.
        state: ``finished``, ``running`` or ``stopped``.
        stages: stages recorded so far.
        result: of a finished run.
    """

    path: Path
    state: str
    stages: int
    result: RunResult | None


def list_runs(out: Path) -> list[ListedRun]:
    """Every run below ``out/<task>/``, by name.

    Raises:
        CorruptRunError, NewerRunError: naming the damaged file.
    """
    return [_listed(path) for path in _folders(out)]


def finished_results(out: Path) -> Iterator[RunResult]:
    """The results of all finished runs below ``out/<task>/``.

    Raises:
        CorruptRunError, NewerRunError: naming the damaged file.
    """
    for run in list_runs(out):
        if run.result is not None:
            yield run.result


def find_run(name: str, out: Path) -> Path:
    """The folder of a run by its id below ``out``, or by its path.

    Raises:
        CommandError: if there is none.
    """
    if (Path(name) / "config.toml").is_file():
        return Path(name)
    found = [path for path in _folders(out) if path.name == name]
    if not found:
        raise CommandError(f"no run {name!r} below {out}; harness runs lists them")
    return found[0]


def _folders(out: Path) -> list[Path]:
    return sorted(path.parent for path in out.glob("*/*/config.toml"))


def _listed(path: Path) -> ListedRun:
    stages = path / "stages.jsonl"
    count = len(stages.read_text(encoding="utf-8").splitlines()) if stages.exists() else 0
    if (path / "result.json").exists():
        result = RunFolder(path).read("result.json", load_result)
        return ListedRun(path, "finished", count, result)
    return ListedRun(path, "running" if _alive(path) else "stopped", count, None)


def _alive(path: Path) -> bool:
    try:
        values = json.loads((path / HOLDER).read_text(encoding="utf-8"))
        if values["host"] != socket.gethostname():
            return True
        os.kill(int(values["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return False
    return True
