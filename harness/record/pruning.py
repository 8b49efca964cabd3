"""What can be removed of runs, and how much room that gives."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.record import layout
from harness.record.folder import RunFolder, remove_run
from harness.record.listing import ListedRun

WHATS = ("checkpoints", "unfinished", "everything")
DAY = 86_400
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """What would go of one run.

    Attributes:
        run: that is not running.
        checkpoints: the folders that go; None: the whole run goes.
        size: bytes.
    """

    run: ListedRun
    checkpoints: tuple[Path, ...] | None
    size: int

    def remove(self) -> None:
        """Remove it; a ``RunHeldError`` if the run goes on meanwhile."""
        if self.checkpoints is None:
            remove_run(self.run.path)
            return
        with RunFolder.held(self.run.path) as folder:
            for path in self.checkpoints:
                folder.discard(path.relative_to(folder.path).as_posix())


def prunable(
    runs: Sequence[ListedRun], what: str, *, older_than: float = 0.0
) -> Iterator[Prunable]:
    """What can go of some runs; running and damaged ones are left alone.

    Args:
        runs: as listed.
        what: of ``WHATS``: ``checkpoints`` of unfinished trainings, ``unfinished`` runs, or
            ``everything``: finished runs, too.
        older_than: days since the run last wrote anything.
    """
    latest = time.time() - DAY * older_than
    for run in runs:
        if run.state in ("running", "damaged") or changed(run.path) > latest:
            continue
        if what == "everything" or (what == "unfinished" and run.state != "finished"):
            yield Prunable(run, None, size_of(run.path))
        elif what == "checkpoints" and (found := layout.all_checkpoints(run.path)):
            yield Prunable(run, tuple(found), sum(map(size_of, found)))


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; one that has several names counts once."""
    return sum({state.st_ino: state.st_size for state in _files(folder)}.values())


def changed(folder: Path) -> float:
    """When a file below a folder was last written, in seconds since 1970; 0 if there is none."""
    return max((state.st_mtime for state in _files(folder)), default=0.0)


def _files(folder: Path) -> Iterator[os.stat_result]:
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                yield path.lstat()
        except OSError:
            continue  # another process has removed it
