"""The runs below a folder, finished and unfinished."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CommandError, RunError, nearest
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
    file = layout.sweep_file(out, recipe)
    if not colon or not file.exists():
        return [find_run(one.strip(), out) for one in name.split(",")]
    rows = {one["label"]: one["runs"] for one in json.loads(file.read_text("utf-8"))["rows"]}
    if row not in rows:
        raise CommandError(f"sweep {recipe!r} has no row {row!r}: {nearest(row, rows)}")
    return [out / path for path in rows[row].values() if (out / path / layout.RESULT).exists()]


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
