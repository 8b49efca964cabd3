"""Steps that runs share: each record once, under the name of its step, for all runs of a sweep.

OUT/steps/<name>.<checksum>    a record, linked into the folder of each run that uses it
OUT/steps/<name>.lock          held while the step is done
OUT/steps/asking.lock          held while a service is asked
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


class StepStore:
    """Records of steps in a folder.

    Processes may use it at the same time. What is in it can be deleted whenever no run works:
    a step that is missing is done again.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @contextmanager
    def held(self, name: str, *, asks: bool) -> Iterator[None]:
        """Let no other process do a step meanwhile.

        Args:
            name: of the step.
            asks: it asks a service, which one run at a time does: so none pays for what another
                is about to pay, rate limits hold for all together, and so does a budget.
        """
        from filelock import FileLock

        with ExitStack() as stack:
            for lock in (name, *(["asking"] if asks else [])):
                stack.enter_context(FileLock(self._folder / f"{lock}.lock"))
            yield

    def find(self, name: str) -> Path | None:
        """The record of a step; a damaged one is removed."""
        for path in self._folder.glob(f"{name}.*"):
            if path.suffix == ".lock":
                continue
            if _checksum(path) == path.suffix[1:]:
                return path
            path.unlink(missing_ok=True)
        return None

    def keep(self, name: str, record: Path) -> None:
        """Add the record of a step, unless there is one."""
        if any(path.suffix != ".lock" for path in self._folder.glob(f"{name}.*")):
            return
        temporary = self._folder / f".{name}.{os.getpid()}.tmp"
        link(record, temporary)
        temporary.replace(self._folder / f"{name}.{_checksum(temporary)}")


def link(source: Path, target: Path) -> None:
    """One file under two names; a copy where the file system has no hard links.

    No record is ever written in place, so neither name can change what is under the other.
    """
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
