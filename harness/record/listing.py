"""The runs below a folder, finished and unfinished."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CommandError, CorruptRunError, RunError, nearest
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
    return [read_run(path) for path in layout.run_folders(out)]


def find_run(name: str, out: Path) -> Path:
    """The folder of a run: by its path, or below ``out`` by any part of its id that no other has.

    Args:
        name: a path, ``task/run-id``, ``run-id``, or a part of it, such as the hash at its end.

    Raises:
        CommandError: if no run, or more than one, has it; the line names them.
    """
    if Path(name).is_dir() and layout.is_run(Path(name)):
        return Path(name)
    ids = {f"{path.parent.name}/{path.name}": path for path in layout.run_folders(out)}
    exact = [path for id_, path in ids.items() if name in (id_, path.name)]
    found = exact or [path for id_, path in ids.items() if name in id_]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"no run {name!r} below {out}; harness runs lists them")
    first = ", ".join(path.name for path in found[:3]) + (", ..." if len(found) > 3 else "")
    raise CommandError(f"{name!r} is part of {len(found)} runs' ids below {out}: {first}")


def find_method(name: str, out: Path) -> list[Path]:
    """The folders of a method's runs: of a sweep's row (``recipe:row``), or of runs by their ids.

    Args:
        name: ``recipe:row`` of a sweep below ``out``, or ids as for ``find_run``, with commas.

    Raises:
        CommandError: if there is no such sweep, row or run.
    """
    recipe, colon, row = name.partition(":")
    if not colon or (sweep := find_sweep(recipe, out)) is None:
        return [find_run(one.strip(), out) for one in name.split(",")]
    rows = {one["label"]: one["runs"] for one in sweep.rows}
    if row not in rows:
        raise CommandError(f"sweep {recipe!r} has no row {row!r}: {nearest(row, rows)}")
    return [out / path for path in rows[row].values() if (out / path / layout.RESULT).exists()]


@dataclass(frozen=True, slots=True)
class SweepRows:
    """What a sweep's file says.

    Attributes:
        rows: their labels, settings and runs by seed.
        baseline: the row that the others are compared with.
        stages: that tables show; empty: all.
    """

    rows: Sequence[Mapping[str, Any]]
    baseline: str | None
    stages: tuple[str, ...] = ()


def find_sweep(name: str, out: Path) -> SweepRows | None:
    """A sweep below a folder by its recipe's name or file; None if there is none.

    Raises:
        CorruptRunError: if its file is damaged.
    """
    file = layout.sweep_file(out, Path(name).stem if name.endswith(".toml") else name)
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        rows = [
            {"label": str(row["label"]), "settings": dict(row["settings"]),
             "runs": {str(seed): str(path) for seed, path in row["runs"].items()}}
            for row in values["rows"]
        ]  # fmt: skip
        return SweepRows(rows, values["baseline"], tuple(map(str, values.get("stages", ()))))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        again = "the same harness sweep command writes it anew; nothing is done twice"
        raise CorruptRunError(f"{file}: damaged ({error}); {again}") from None


def read_run(path: Path) -> ListedRun:
    """The run of a folder; what is damaged of it is said in the value."""
    stages: Sequence[StageResult] = ()
    try:
        folder = RunFolder(path)
        if folder.has(layout.RESULT):
            result = folder.read(layout.RESULT, load_result)
            return ListedRun(path, "finished", result.stages, result)
        if folder.has(layout.STAGES):
            stages = folder.read(layout.STAGES, load_stages)
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
        if values["host"] != socket.gethostname() or os.name == "nt":
            return True  # nobody tells from here; on Windows signal 0 would end the process
        os.kill(int(values["pid"]), 0)
    except PermissionError:
        return True  # another user's process
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return False
    return True
