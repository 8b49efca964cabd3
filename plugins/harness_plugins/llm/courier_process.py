"""Starts a courier, greets it, and sees to its end; see ``courier``."""

from __future__ import annotations

import asyncio
import marshal
import os
import pickle
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness import errors
from harness.errors import CommandError, HarnessError, ServiceError
from harness_plugins.llm.courier_frames import frame, read_frame, send_descriptor
from harness_plugins.llm.courier_heir import Estate
from harness_plugins.llm.courier_lock import POSSIBLE, forget, hold
from harness_plugins.llm.keys import redactor_for

if TYPE_CHECKING:
    from harness.protocols import Account
    from harness_plugins.llm.settings import LlmSettings

__all__ = ["CourierProcess", "couriers_possible"]

END_SECONDS = 5.0
"""How long the courier may take for its end before it is killed."""
SHOWN = 200
"""Characters shown of what a courier said before it died."""


def couriers_possible() -> bool:
    """Whether a process can be started here that is given a socket and a lock."""
    return POSSIBLE and bool(sys.executable)


class CourierProcess:
    """A courier that runs, and this end of the pair of sockets.

    Args:
        settings: which backend it has.
        account: who pays, and where replies are kept.

    Attributes:
        channel: this end; closed by ``end``.
        lanes: of its backend.

    Raises:
        CommandError, ConfigError, ServiceError: as the making of the backend would.
    """

    def __init__(self, settings: LlmSettings, account: Account) -> None:
        self._settings = settings
        replies = account.replies.parent.resolve() / account.replies.name
        self._estate = Estate(settings, replies, account.run_id)
        self._holding = False
        # A file: a pipe that nobody reads fills up.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self.channel, theirs = socket.socketpair()
        try:
            self._process = self._started(theirs)
        except BaseException:
            self.channel.close()
            self._stderr.close()
            raise
        finally:
            theirs.close()
        try:
            self.lanes = self._greet()
        except BaseException:
            self.end()
            raise

    def lock(self) -> None:
        """Let it hold the run's lock, before the first request.

        Raises:
            RunError: if there can be no lock.
            OSError: if the courier is gone.
        """
        estate = self._estate
        lock = hold(estate.replies, estate.run_id, self._settings.pace.timeout)
        self._holding = True
        try:
            send_descriptor(self.channel, lock)
        finally:
            os.close(lock)

    def death(self) -> ServiceError:
        """What became of it, in one line."""
        try:
            status = self._process.wait(END_SECONDS)
            how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        except subprocess.TimeoutExpired:
            how = "does not answer"
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        said = redactor_for(self._settings.key_file)(last)[:SHOWN]
        return ServiceError(
            f"the process that holds the connections to {self._settings.endpoint} {how}"
            f"{f' ({said})' if said else ''}; replies received so far are kept: the same command "
            "goes on (--set annotator.courier=false does without that process)"
        )

    async def ended(self) -> None:
        """Wait for its end, not for long."""
        for _ in range(int(END_SECONDS / 0.002)):
            if self._process.poll() is not None:
                return
            await asyncio.sleep(0.002)

    def end(self) -> None:
        """Leave nothing behind; one that still runs is killed."""
        self.channel.close()
        try:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
        finally:
            self._stderr.close()
            if self._holding:
                self._holding = False
                forget(self._estate.replies, self._estate.run_id)

    def _started(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        number = str(theirs.fileno())
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "harness_plugins.llm.courier", number],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C in a terminal goes to this process alone
            env={**os.environ, "PYTHONPATH": _import_path()},
        )

    def _greet(self) -> int:
        """Tell it whom it serves; returns its lanes."""
        try:
            self.channel.sendall(frame(pickle.dumps(self._estate)))
            answer = read_frame(self.channel)
        except OSError:
            answer = None
        if answer is None:
            raise self.death()
        kind, said = marshal.loads(answer)
        if kind != "lanes":
            raise _error(kind, said)
        lanes: int = said
        return lanes


def _import_path() -> str:
    """Where this process imports from, also where that was extended while it ran."""
    return os.pathsep.join(str(Path(entry).absolute()) for entry in dict.fromkeys(sys.path))


def _error(kind: str, said: str) -> HarnessError:
    """The error of that name; of those with arguments of their own, what is caught like it."""
    found = getattr(errors, kind, ServiceError)
    try:
        error = found(said)
    except TypeError:
        error = CommandError(said)
    return error if isinstance(error, HarnessError) else ServiceError(said)
