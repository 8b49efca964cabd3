"""Who carries replies for a run: a lock beside the file of replies, held as long as they live.

The lock is of the open file (``flock``), not of the process: the parent takes it before it asks
anything and hands the open file over, so that there is no moment at which something is under
way and nobody holds the lock. It is shared, as several couriers may serve one run (the annotator's,
an augmenter's); nobody holds it if it can be had alone. Who has it alone may remove the file.

The lock is only as good as the file system: one over a network may have none. The file of
replies (SQLite with WAL) does not work there either.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from harness.errors import RunError

try:
    import fcntl
except ImportError:  # Windows: replies are fetched by the process itself
    fcntl = None  # type: ignore[assignment]

__all__ = ["POSSIBLE", "forget", "hold", "release", "wait_for_couriers"]

POSSIBLE = fcntl is not None and os.name == "posix"
"""Whether there can be couriers here."""
PATIENCE_SECONDS = 15.0
"""On top of a request's timeout: for starting, and for writing what came."""
LOOK_SECONDS = 0.02

_mine: Counter[Path] = Counter()
"""Couriers of this process: they are alive, not heirs, and are not waited for."""


def hold(replies: Path, run_id: str, timeout: float) -> int:
    """Take the lock for a courier, which is to be given the open file.

    Args:
        replies: the file of replies.
        run_id: who pays.
        timeout: seconds for which the courier may wait for replies after its parent's death.

    Returns:
        The descriptor; this process closes it once the courier has its own, and calls
        ``forget`` once the courier has ended.

    Raises:
        RunError: if no such file can be made.
    """
    path = _path(replies, run_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if _is_there(path, descriptor):  # or it was removed between the two
                break
            os.close(descriptor)
        os.pwrite(descriptor, f"{timeout:<12.0f}\n".encode(), 0)
    except OSError as error:
        raise RunError(
            f"{path}: cannot be locked ({error.strerror or error}); "
            "--set annotator.courier=false does without"
        ) from None
    _mine[path] += 1
    return descriptor


def forget(replies: Path, run_id: str) -> None:
    """A courier of this process has ended."""
    path = _path(replies, run_id)
    _mine[path] -= 1
    if _mine[path] <= 0:
        del _mine[path]


def release(descriptor: int, replies: Path, run_id: str) -> None:
    """In the courier, at its end: give the lock up, and remove the file if it was the last."""
    _remove_if_alone(descriptor, _path(replies, run_id))
    os.close(descriptor)


def wait_for_couriers(replies: Path, run_id: str, note: Callable[[str], None]) -> None:
    """Wait until no courier of a process that was killed is at work for the run.

    A file that nobody holds is removed. A run that is alive elsewhere looks the same as one
    that was killed; ``harness run`` allows no second process for a run.

    Args:
        replies, run_id: whose.
        note: is told that, and for how long at most, there is a wait.

    Raises:
        KeyboardInterrupt: as it comes; nothing is changed by waiting.
    """
    path = _path(replies, run_id)
    if not POSSIBLE or path in _mine or _nobody(path):
        return
    most = _seconds(path) + PATIENCE_SECONDS
    note(
        "replies that an earlier process of this run had under way when it was killed are still "
        f"coming in: waiting for them, {most:.0f} s at most"
    )
    end = time.monotonic() + most
    while not _nobody(path):
        if time.monotonic() > end:
            note(
                "they are not waited for any longer; what comes in now may have been asked "
                "for twice"
            )
            return
        time.sleep(LOOK_SECONDS)


def _path(replies: Path, run_id: str) -> Path:
    """The file of a run; its name holds no character that a file's cannot."""
    run = hashlib.sha256(run_id.encode()).hexdigest()[:16]
    return replies.parent.resolve() / f".{replies.name}.{run}.courier"


def _nobody(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:  # not ours to read: another user's
        return True
    try:
        return _remove_if_alone(descriptor, path)
    finally:
        os.close(descriptor)


def _remove_if_alone(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    if _is_there(path, descriptor):
        path.unlink(missing_ok=True)
    return True


def _is_there(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _seconds(path: Path) -> float:
    try:
        return float(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0
