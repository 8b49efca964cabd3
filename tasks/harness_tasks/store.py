"""Checked rows become a split: small ones in memory, large ones memory-mapped from a cache.

A large split is streamed into a folder of the cache once, and then mapped from there:

    examples.arrow    texts (large_string) or tokens (list<string>), an Arrow IPC file
    keys.npy          uint64, the texts' keys as numbers (``identity.text_key``)
    occurrences.npy   int32, which occurrence of its text each row is
    gold.npy          int32, class indices of the units: in its own file, so that the
                      examples that parts get map nothing of it
    manifest.json     rows, and the checksum of each file; written last

The folder's name has a hash of all that the rows come from, so other data or labels have
another folder. Folders may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import Gold, IntArray, Kind, Pool
from harness.errors import DataError
from harness.identity import example_ids, text_key
from harness.record.layout import CACHED_EXAMPLES, data_cache
from harness_tasks.checking import Row
from harness_tasks.columns import ArrowColumn, IdColumn

IN_MEMORY = 50_000
"""Splits of fewer rows stay in memory and leave no file behind."""
BATCH = 16_384
"""Rows in memory at a time while a split is written."""
SCHEMA = 2
FILES = (CACHED_EXAMPLES, "keys.npy", "occurrences.npy", "gold.npy")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One split as read: examples apart from gold."""

    pool: Pool
    gold: Gold


def store(
    rows: Iterable[Row],
    split: str,
    kind: Kind,
    key: str | None,
    notes: list[str],
    folder: Path | None = None,
) -> Rows:
    """Make a split of checked rows, which are read only where the cache does not have it.

    Args:
        split: the start of the examples' ids (``identity.example_ids``).
        key: hexadecimal hash of what the rows come from: files, classes, kind; None: unknown,
            so the split stays in memory.
        notes: reading the rows adds notes here; the cache keeps them, without folder names.
        folder: of the cache; None: ``layout.data_cache()``.

    Raises:
        DataError: if the cache cannot be written; and the errors of ``rows``.
    """
    if key is None:
        return _in_memory(list(rows), split, kind)
    target = (folder or data_cache()) / f"{split}-{key}"
    if target.is_dir():
        found = _mapped(target, split, kind, notes)
        if found is not None:
            return found
    before = len(notes)
    iterator = iter(rows)
    first = list(islice(iterator, IN_MEMORY))
    if len(first) < IN_MEMORY:
        return _in_memory(first, split, kind)
    try:
        with _locked(target):
            found = _mapped(target, split, kind, notes) if target.is_dir() else None
            if found is None:  # no other process has made it meanwhile
                _cache(chain(_emptied(first), iterator), kind, target, notes, before)
                found = _mapped(target, split, kind, [])
        if found is None:
            raise OSError("what was written cannot be read back")
        return found
    except OSError as error:
        raise DataError(
            f"{target}: the cache of large data cannot be written ({error.strerror or error}); "
            "set HARNESS_CACHE to a folder with room"
        ) from None


def _in_memory(rows: Sequence[Row], split: str, kind: Kind) -> Rows:
    examples: list[Any] = [row.example for row in rows]
    texts = examples if kind == "sequence" else [" ".join(tokens) for tokens in examples]
    pool = Pool(kind=kind, split=split, ids=example_ids(split, texts), examples=examples)
    labels = np.fromiter(chain.from_iterable(row.labels for row in rows), dtype=np.int32)
    return Rows(pool, Gold(split, labels, pool.offsets))


def _emptied(rows: list[Row]) -> Iterator[Row]:
    """The rows in order; each is removed from the list, so that its memory is free."""
    rows.reverse()
    while rows:
        yield rows.pop()


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        yield


def _cache(rows: Iterator[Row], kind: Kind, target: Path, notes: list[str], before: int) -> None:
    """Write the rows to the cache, with the notes from ``before`` on."""
    temporary = target.with_name(f".{target.name}.tmp")
    for folder in (temporary, target):  # half-written by a killed process, or damaged
        if folder.exists():
            shutil.rmtree(folder)
    temporary.mkdir()
    try:
        count = _write(rows, kind, temporary)
        _write_manifest(temporary, count, notes[before:])
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(rows: Iterator[Row], kind: Kind, folder: Path) -> int:
    """Write everything but the manifest; the number of rows."""
    import pyarrow as pa

    type_ = pa.large_string() if kind == "sequence" else pa.list_(pa.string())
    schema = pa.schema([("example", type_)])
    keys, labels = [], []
    with (
        pa.OSFile(str(folder / "examples.arrow"), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        while batch := list(islice(rows, BATCH)):
            examples: list[Any] = [row.example for row in batch]
            texts = examples if kind == "sequence" else map(" ".join, examples)
            keys.append(np.asarray([int(text_key(text), 16) for text in texts], dtype=np.uint64))
            own = chain.from_iterable(row.labels for row in batch)
            labels.append(np.fromiter(own, dtype=np.int32))
            column = pa.array(examples, type=type_)
            writer.write_batch(pa.record_batch([column], schema=schema))
    every = np.concatenate(keys)
    np.save(folder / "keys.npy", every)
    np.save(folder / "occurrences.npy", _occurrences(every))
    np.save(folder / "gold.npy", np.concatenate(labels))
    return len(every)


def _write_manifest(folder: Path, rows: int, notes: Sequence[str]) -> None:
    manifest = {
        "schema": SCHEMA,
        "rows": rows,
        "notes": [_without_folder(note) for note in notes],
        "sha256": {name: _sha256(folder / name) for name in FILES},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for name in (*FILES, "manifest.json"):
        _sync(folder / name)


def _without_folder(note: str) -> str:
    """The note without the folder of its file: the cache also serves copies in other folders."""
    parts = note.split(": ")
    for end in range(1, len(parts)):  # a folder's name may have a colon, too
        file = Path(": ".join(parts[:end]))
        if file.is_file():
            return ": ".join((file.name, *parts[end:]))
    return note


def _occurrences(keys: IntArray) -> IntArray:
    """int32 ``[n]``: 1 where a key occurs for the first time, 2 for the second, ..."""
    order = np.argsort(keys, kind="stable")
    _, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
    found = np.empty(len(keys), dtype=np.int32)
    found[order] = np.arange(len(keys)) - np.repeat(starts, counts) + 1
    return found


def _mapped(folder: Path, split: str, kind: Kind, notes: list[str]) -> Rows | None:
    """A split of the cache; None, and a note, if it is damaged."""
    import pyarrow as pa

    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["schema"] != SCHEMA:
            raise ValueError("another version")
        for name in FILES:
            if manifest["sha256"][name] != _sha256(folder / name):
                raise ValueError(f"{name} is not what was written")
        reader = pa.ipc.open_file(pa.memory_map(str(folder / "examples.arrow")))
        batches = [reader.get_batch(i).column(0) for i in range(reader.num_record_batches)]
        keys, occurrences, gold = (
            np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in FILES[1:]
        )
        kept = [str(note) for note in manifest["notes"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        damaged = f"{folder}: damaged ({error}); it is made again"
        if damaged not in notes:
            notes.append(damaged)
        return None
    notes += kept
    examples: Any = ArrowColumn(batches)
    pool = Pool(kind=kind, split=split, ids=IdColumn(split, keys, occurrences), examples=examples)
    return Rows(pool, Gold(split, gold, pool.offsets))


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
