"""A run's folder: one writer, atomic files, checksums.

A file is finished when it has its final name. ``checksums.json`` holds its checksum *before* it
gets that name, so a file with another checksum, or none, is damaged: an error names it, and
nothing reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import BudgetError, CorruptRunError, HarnessError, RunError, RunHeldError
from harness.record import layout
from harness.results import SCHEMA, read_json

T = TypeVar("T")


class RunFolder:
    """The folder of one run; to write to it, lock it with ``RunFolder.held``.

    Files are named by their paths in it (``layout``).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._checksums, self._steps = _read_checksums(path / layout.CHECKSUMS)

    @classmethod
    @contextmanager
    def held(cls, path: Path, *, fresh: bool = False) -> Iterator[RunFolder]:
        """Lock the folder, creating it, for the duration of a ``with`` block.

        ``fresh`` removes what an earlier run left in it.

        Raises:
            RunHeldError: naming the process that holds it.
            RunError: if the folder cannot be written, or (``CorruptRunError``) is damaged.
        """
        from filelock import FileLock, Timeout

        try:
            new = not path.exists()
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / layout.LOCK, timeout=0)
            lock.acquire()
        except Timeout:
            raise RunHeldError(
                f"{path}: this run is held by {holder(path) or 'another process'}; "
                "wait for it to finish, or choose another --out"
            ) from None
        except OSError as error:
            raise RunError(
                f"{path}: cannot be written ({error.strerror or error}); choose another --out"
            ) from None
        try:
            _write_holder(path)
            if fresh:
                _clear(path)
            yield cls(path)
        except BudgetError:
            raise  # the run has paid for replies: it stays, and can go on
        except Exception:
            if new and not (path / layout.ROUNDS).exists():
                _clear(path)  # nothing is recorded: a mistake leaves no folder behind
                _remove(path)
            raise
        finally:
            (path / layout.HOLDER).unlink(missing_ok=True)
            lock.release()

    def has(self, name: str) -> bool:
        """Whether a finished file of that name is there."""
        return (self.path / name).exists()

    def step(self, name: str) -> str | None:
        """The name of the step that a file records; None where none is noted."""
        return self._steps.get(name)

    def write(self, name: str, write: Callable[[Path], None], *, step: str | None = None) -> None:
        """Write a file atomically: ``write`` writes its content to a temporary path.

        ``step`` is the name of the step that the file records.
        """
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        try:
            write(temporary)
        except Exception as error:
            temporary.unlink(missing_ok=True)
            text = " ".join(str(error).split())
            raise RunError(
                f"{target}: cannot be written ({text}); what is recorded stays, "
                "and the same command goes on"
            ) from error
        if step is not None:
            self._steps = {**self._steps, name: step}
        self._note_checksums({**self._checksums, name: _sha256(temporary)})
        _commit(temporary, target)

    def write_folder(self, name: str, write: Callable[[Path], None]) -> None:
        """Write a folder of files (a model): ``write`` fills a temporary one, which is renamed."""
        import shutil

        def written(temporary: Path) -> None:
            write(temporary)
            kept = {k: v for k, v in self._checksums.items() if not k.startswith(f"{name}/")}
            self._note_checksums({**kept, **_checksums_below(temporary, name)})

        for old in (self.path / name, *self.path.glob(f".{name}.*.tmp")):
            shutil.rmtree(old, ignore_errors=True)
        new_folder(self.path / name, written)

    def scratch(self, name: str) -> Path:
        """A folder for unfinished work, with what an earlier process left in it."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def discard(self, name: str) -> None:
        """Remove a file or a scratch folder, if it is there."""
        import shutil

        path = self.path / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> None:
        """Write a text file atomically."""
        self.write(name, lambda path: _write_text(path, text))

    def read(self, name: str, read: Callable[[Path], T]) -> T:
        """Read a file after a check of its checksum; a ``CorruptRunError`` if that differs."""
        path = self.path / name
        try:
            actual = _sha256(path)
        except OSError as error:
            raise CorruptRunError(f"{path}: cannot be read ({error.strerror or error})") from None
        if name not in self._checksums or self._checksums[name] != actual:
            raise CorruptRunError(
                f"{path}: damaged (its checksum is not the one that was written); delete this "
                "file to have it computed again, or run the same command with --fresh"
            )
        try:
            return read(path)
        except HarnessError:
            raise
        except Exception as error:  # whatever a codec raises
            text = " ".join(str(error).split())[:120]
            raise CorruptRunError(
                f"{path}: cannot be understood ({text}); run the same command with --fresh"
            ) from error

    def recorded(self, name: str) -> bool:
        """Whether a file of that name was written, even if it is gone."""
        return name in self._checksums

    def read_folder(self, name: str, read: Callable[[Path], T]) -> T:
        """Read what ``write_folder`` wrote after a check of every file, likewise."""
        noted = {k: v for k, v in self._checksums.items() if k.startswith(f"{name}/")}
        if not noted or noted != _checksums_below(self.path / name, name):
            raise CorruptRunError(
                f"{self.path / name}: damaged (its files are not those that were written); delete "
                "this folder and run the same command again to have it made anew"
            )
        return read(self.path / name)

    def read_json(self, name: str) -> Any:
        """Read a JSON file of this schema version, likewise; else a ``NewerRunError``."""
        return self.read(name, read_json)

    def _note_checksums(self, checksums: dict[str, str]) -> None:
        self._checksums = checksums
        values = {"schema": SCHEMA, "sha256": checksums, "steps": self._steps}
        _replace_text(self.path / layout.CHECKSUMS, json.dumps(values, indent=1, sort_keys=True))


def remove_run(path: Path) -> None:
    """Remove a run's folder; a ``RunHeldError`` if a process is writing it."""
    with RunFolder.held(path, fresh=True):
        pass
    _remove(path)


def holder(path: Path) -> str | None:
    """Which process writes a run folder, in words; None if unknown."""
    try:
        values = json.loads((path / layout.HOLDER).read_text(encoding="utf-8"))
        return f"process {values['pid']} on {values['host']} since {values['since']}"
    except (OSError, ValueError, KeyError):
        return None


def new_file(target: Path, write: Callable[[Path], object]) -> None:
    """Make a file outside a run folder atomically: ``write`` gets a temporary path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        _commit(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def new_text(target: Path, text: str) -> None:
    """Make such a file of a text."""
    new_file(target, lambda path: path.write_text(text, encoding="utf-8", newline="\n"))


def new_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Make a folder atomically: ``write`` fills a temporary one. ``target`` is empty or absent."""
    import shutil

    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        write(temporary)
        for file in temporary.rglob("*"):
            _inherit_mode(file)
            _sync(file)
        temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync(target.parent)


def _write_holder(path: Path) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    values = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    _replace_text(path / layout.HOLDER, json.dumps(values))


def _clear(path: Path) -> None:
    """Remove everything but the lock: the result first, the checksums last."""
    import shutil

    (path / layout.RESULT).unlink(missing_ok=True)
    for entry in sorted(path.iterdir()):
        if entry.name in (layout.LOCK, layout.HOLDER, layout.CHECKSUMS):
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (path / layout.CHECKSUMS).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Remove a folder without records, and the task's folder if it was the only run."""
    for name in (layout.HOLDER, layout.LOCK):
        (path / name).unlink(missing_ok=True)
    for folder in (path, path.parent):
        try:
            folder.rmdir()
        except OSError:
            return  # it holds other files


def _read_checksums(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The checksums and the steps of files, by name; earlier versions noted no steps."""
    if not file.exists():
        return {}, {}
    try:
        values = read_json(file)
        found = (values["sha256"], values.get("steps", {}))
        checksums, steps = ({str(k): str(v) for k, v in one.items()} for one in found)
        return checksums, steps
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise CorruptRunError(
            f"{file}: damaged ({error}); run the same command with --fresh"
        ) from None


def _replace_text(target: Path, text: str) -> None:
    temporary = target.with_name(f".{target.name.lstrip('.')}.tmp")
    _write_text(temporary, text)
    _commit(temporary, target)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _commit(temporary: Path, target: Path) -> None:
    """Sync the content, rename it, sync the name."""
    _inherit_mode(temporary)
    _sync(temporary)
    temporary.replace(target)
    _sync(target.parent)


def _inherit_mode(file: Path) -> None:
    """Give a file the permissions of its folder: safetensors makes it private to its owner."""
    if file.is_file():
        with suppress(OSError):  # a file system without modes, or somebody else's file
            file.chmod(file.parent.stat().st_mode & 0o666)


def _sync(path: Path) -> None:
    """Let a file, or the names in a folder, reach the disk; Windows has no such call for folders,
    and wants a file that may be written."""
    windows = os.name == "nt"
    if windows and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksums_below(folder: Path, name: str) -> dict[str, str]:
    """Checksums of all files of a folder, by their paths in the run folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {f"{name}/{path.relative_to(folder).as_posix()}": _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
