"""Checked rows become a split: small ones in memory, large ones memory-mapped from a cache.

A large split is streamed into a folder of the cache once, and mapped from there ever
after:

    examples.arrow    texts (large_string) or tokens (list<string>), an Arrow IPC file
    keys.npy          uint64, the texts' keys as numbers (``identity.text_key``)
    occurrences.npy   int32, which occurrence of its text each row is
    gold.npy          int32, class indices of the units: in a file of its own, so that
                      what a part is handed maps nothing of it
    manifest.json     rows, and the checksum of each file; written last

The folder's name holds a hash of everything that the rows come from, so other data or
other labels make another folder. Folders may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from harness.data import Gold, IntArray, Kind, Pool
from harness.errors import DataError
from harness.identity import example_ids, text_key
from harness_tasks.columns import ArrowColumn, IdColumn

__all__ = ["IN_MEMORY", "Row", "Rows", "cache_folder", "store"]

Row: TypeAlias = tuple[str, Sequence[int]] | tuple[tuple[str, ...], Sequence[int]]
"""A text with its class index, or tokens with the class index of each tag."""

IN_MEMORY = 50_000
"""Splits of fewer rows stay in memory and leave no file behind."""
BATCH = 16_384
"""Rows in memory at a time while a split is written."""
SCHEMA = 1
FILES = ("examples.arrow", "keys.npy", "occurrences.npy", "gold.npy")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One split as read: examples apart from gold."""

    pool: Pool
    gold: Gold


def cache_folder() -> Path:
    """``HARNESS_CACHE``, else ``~/.cache/freeal-harness/tasks``; temporary without a home."""
    named = os.environ.get("HARNESS_CACHE")
    if named:
        return Path(named)
    try:
        return Path.home() / ".cache/freeal-harness/tasks"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "freeal-harness/tasks"


def store(
    rows: Iterable[Row], split: str, kind: Kind, key: str, folder: Path | None = None
) -> Rows:
    """Make a split of checked rows.

    Args:
        rows: read only where the cache does not hold them yet, so pass a generator.
        split: the name that the examples' ids begin with (``identity.example_ids``).
        kind: kind of the task.
        key: hexadecimal hash of what the rows come from: files, classes, kind.
        folder: of the cache; None: ``cache_folder()``.

    Raises:
        DataError: if the cache cannot be written; and what ``rows`` raises.
    """
    target = (folder or cache_folder()) / f"{split}-{key}"
    if target.is_dir():
        found = _mapped(target, split, kind)
        if found is not None:
            return found
    iterator = iter(rows)
    first = list(islice(iterator, IN_MEMORY))
    if len(first) < IN_MEMORY:
        return _in_memory(first, split, kind)
    try:
        return _cached(chain(_emptied(first), iterator), split, kind, target)
    except OSError as error:
        raise DataError(
            f"{target}: the cache of large data cannot be written ({error.strerror or error}); "
            "set HARNESS_CACHE to a folder with room"
        ) from None


def _in_memory(rows: Sequence[Row], split: str, kind: Kind) -> Rows:
    examples: list[Any] = [example for example, _ in rows]
    texts = examples if kind == "sequence" else [" ".join(tokens) for tokens in examples]
    pool = Pool(kind=kind, split=split, ids=example_ids(split, texts), examples=examples)
    labels = np.fromiter(chain.from_iterable(said for _, said in rows), dtype=np.int32)
    return Rows(pool, Gold(split, labels, pool.offsets))


def _emptied(rows: list[Row]) -> Iterator[Row]:
    """The rows in order, each forgotten as it is handed on."""
    rows.reverse()
    while rows:
        yield rows.pop()


# -- the cache -------------------------------------------------------------------------


def _cached(rows: Iterator[Row], split: str, kind: Kind, target: Path) -> Rows:
    """Write the rows to the cache, unless another process has done so meanwhile."""
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        found = _mapped(target, split, kind, said=True) if target.is_dir() else None
        if found is not None:
            return found
        temporary = target.with_name(f".{target.name}.tmp")
        for folder in (temporary, target):  # half-written by a killed process, or damaged
            if folder.exists():
                shutil.rmtree(folder)
        temporary.mkdir()
        try:
            _write(rows, kind, temporary)
            temporary.replace(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    written = _mapped(target, split, kind)
    if written is None:
        raise OSError("what was written cannot be read back")
    return written


def _write(rows: Iterator[Row], kind: Kind, folder: Path) -> None:
    import pyarrow as pa

    type_ = pa.large_string() if kind == "sequence" else pa.list_(pa.string())
    schema = pa.schema([("example", type_)])
    keys, labels = [], []
    with (
        pa.OSFile(str(folder / "examples.arrow"), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        while batch := list(islice(rows, BATCH)):
            examples: list[Any] = [example for example, _ in batch]
            texts = examples if kind == "sequence" else map(" ".join, examples)
            keys.append(np.asarray([int(text_key(text), 16) for text in texts], dtype=np.uint64))
            said = chain.from_iterable(labels_ for _, labels_ in batch)
            labels.append(np.fromiter(said, dtype=np.int32))
            column = pa.array(examples, type=type_)
            writer.write_batch(pa.record_batch([column], schema=schema))
    every = np.concatenate(keys)
    np.save(folder / "keys.npy", every)
    np.save(folder / "occurrences.npy", _occurrences(every))
    np.save(folder / "gold.npy", np.concatenate(labels))
    manifest = {
        "schema": SCHEMA,
        "rows": len(every),
        "sha256": {name: _sha256(folder / name) for name in FILES},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for name in (*FILES, "manifest.json"):
        _sync(folder / name)


def _occurrences(keys: IntArray) -> IntArray:
    """int32 ``[n]``: 1 where a key occurs for the first time, 2 for the second, ..."""
    order = np.argsort(keys, kind="stable")
    _, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
    found = np.empty(len(keys), dtype=np.int32)
    found[order] = np.arange(len(keys)) - np.repeat(starts, counts) + 1
    return found


def _mapped(folder: Path, split: str, kind: Kind, *, said: bool = False) -> Rows | None:
    """A split of the cache; None, and a word on stderr unless it is said, if it is damaged."""
    import pyarrow as pa

    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for name in FILES:
            if manifest["sha256"][name] != _sha256(folder / name):
                raise ValueError(f"{name} is not what was written")
        reader = pa.ipc.open_file(pa.memory_map(str(folder / "examples.arrow")))
        batches = [reader.get_batch(i).column(0) for i in range(reader.num_record_batches)]
        keys, occurrences, gold = (
            np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in FILES[1:]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        if not said:
            log.warning("harness: warning: %s: damaged (%s); it is made again", folder, error)
        return None
    examples: Any = ArrowColumn(batches)
    pool = Pool(kind=kind, split=split, ids=IdColumn(split, keys, occurrences), examples=examples)
    return Rows(pool, Gold(split, gold, pool.offsets))


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
