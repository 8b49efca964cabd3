"""Which files of a folder are the splits of a task. Where two could be, nobody chooses.

Three layouts are known: files named after their split (``train.jsonl``, ``dev.csv``, ...);
the reference implementation's, which is the same with ``train_chat_bt.csv`` beside, a
recording and no split; and a repository of the hub as it was downloaded, with Parquet files
in shards and folders (``data/train-00000-of-00002.parquet``, ``default/train/0000.parquet``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.errors import DataError
from harness_tasks.declaration import HubSource
from harness_tasks.formats import SUFFIXES

Files = dict[str, tuple[Path, ...]]

SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "valid", "val", "dev", "devel"),
    "test": ("test",),
}
"""The splits, and what files call them."""

_NAMES = {name: split for split, names in SPLITS.items() for name in names}
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")


def split_named(name: str) -> str | None:
    """The split that a name such as ``dev`` means."""
    return _NAMES.get(name.lower())


def find_files(folder: Path, hub: HubSource | None) -> Files:
    """The files of each split; a ``DataError`` if one is ambiguous or incomplete, or no train."""
    found = _named_after_splits(folder)
    if "train" not in found:
        found = _of_repository(folder, hub) or found
    if "train" in found:
        return found
    raise DataError(f"{folder / 'train.jsonl'}: no such file; {_instead(folder)}")


def same_bytes(one: Sequence[Path], other: Sequence[Path]) -> bool:
    """Whether two splits are copies of each other."""
    if [file.stat().st_size for file in one] != [file.stat().st_size for file in other]:
        return False
    return all(a.read_bytes() == b.read_bytes() for a, b in zip(one, other, strict=True))


def _named_after_splits(folder: Path) -> Files:
    found: Files = {}
    for file in _data_files(folder, folder.iterdir()):
        split = split_named(file.stem)
        if split is None:
            continue
        if split in found:
            _refuse([*found[split], file], split)
        found[split] = (file,)
    return found


def _of_repository(folder: Path, hub: HubSource | None) -> Files:
    root = folder
    if hub is not None and hub.data_dir is not None and (folder / hub.data_dir).is_dir():
        root = folder / hub.data_dir
    groups: dict[str, dict[object, list[Path]]] = {}
    for file in _data_files(root, root.rglob("*")):
        below = file.relative_to(root)
        split = _split_of(below)
        if split is not None:
            series = (below.parent, file.suffix, _series(file.stem))
            groups.setdefault(split, {}).setdefault(series, []).append(file)
    found = {}
    for split, series_of in groups.items():
        if len(series_of) > 1:
            _refuse([files[0] for files in series_of.values()], split)
        (files,) = series_of.values()
        found[split] = _complete(sorted(files))
    return found


def _split_of(below: Path) -> str | None:
    """The split that a file is, by its whole name (not ``train_predictions``), or its folder's."""
    if below.stem.isdecimal():
        return split_named(below.parent.name)
    return split_named(_SHARD.sub("", below.stem))


def _series(stem: str) -> str:
    return "" if stem.isdecimal() else _SHARD.sub("", stem)


def _complete(files: list[Path]) -> tuple[Path, ...]:
    match = _SHARD.search(files[0].stem)
    if match:
        here = {file.name for file in files}
        for number in range(int(match.group(2))):
            name = _SHARD.sub(f"-{number:05d}-of-{match.group(2)}", files[0].stem)
            if f"{name}{files[0].suffix}" not in here:
                file = files[0].parent / f"{name}{files[0].suffix}"
                raise DataError(f"{file}: no such file; the split has {int(match.group(2))} parts")
    return tuple(files)


def _data_files(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Those with a known suffix, in order; nothing hidden, such as a download's cache."""
    named = sorted(
        path
        for path in paths
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    for path in named:
        if path.is_symlink() and not path.exists():
            raise DataError(f"{path}: a link to {path.readlink()}, which is not there; mend it")
    return [path for path in named if path.is_file()]


def _refuse(files: Sequence[Path], split: str) -> None:
    names = " and ".join(str(file) for file in sorted(files))
    raise DataError(f"{names}: each could be the {split} split; keep one and move the others away")


def _instead(folder: Path) -> str:
    if any(folder.glob("*.py")) and not _data_files(folder, folder.rglob("*")):
        return (
            "the folder holds a loading script, which nothing runs any more; fetch the data "
            "itself, for instance revision refs/convert/parquet"
        )
    below = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = sorted(
        path.as_posix() for path in below if not any(part.startswith(".") for part in path.parts)
    )
    there = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return (
        f"a task needs a train split (the folder has: {there or 'nothing'}); the file of a split "
        f"is named just {', '.join(SPLITS)} and ends in one of {', '.join(SUFFIXES)}"
    )
