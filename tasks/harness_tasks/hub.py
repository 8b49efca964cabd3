"""Data from the Hugging Face hub, loaded by ``datasets``."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import DataError
from harness.files.parquet import class_names
from harness.files.raw_table import RawRow, RawTable
from harness_tasks.declaration import HubSource
from harness_tasks.files import split_named

SECONDS = 3.0
"""How long to wait for the hub to answer at all."""
_COMMIT = re.compile(r"[/\\]([0-9a-f]{40})[/\\]")


@dataclass(frozen=True, slots=True)
class HubData:
    """A repository's splits, and the commit that was loaded where ``datasets`` knows it."""

    tables: Mapping[str, RawTable]
    commit: str | None


def load_hub(hub: HubSource, task: str, parent: Path) -> HubData:
    """Load every split of a repository that has one of our names.

    Args:
        hub: the repository; one that is a folder is relative to ``parent``.
        task: the task's name, for messages.

    Raises:
        DataError: with the reason, and the command that fetches it where there is network.
    """
    folder = parent / hub.repository if hub.is_folder else None
    if folder is not None and not folder.is_dir():
        raise DataError(f"task {task!r}: {folder}: no such folder, but [hub] repository names it")
    if folder is None and not _reachable():
        _go_offline()
    loaded = _load(hub, task, folder)
    tables, commit = {}, None
    for name, dataset in loaded.items():
        split = split_named(str(name))
        if split is None:
            continue
        if split in tables:
            raise DataError(f"{title(hub)}: two of its splits are {split}: {', '.join(loaded)}")
        commit = commit or _commit_of(dataset)
        tables[split] = _table(dataset, f"{title(hub)}, {name}")
    if "train" not in tables:
        raise DataError(f"{title(hub)}: has no train split, but {', '.join(map(str, loaded))}")
    return HubData(tables, commit)


def download_command(hub: HubSource, task: str) -> str:
    """The command that fetches the same files into ``DIR/<task>``."""
    only = f" --include '{hub.data_dir}/*'" if hub.data_dir else ""
    return (
        f"hf download {hub.repository} --repo-type dataset --revision {hub.revision}{only} "
        f"--local-dir DIR/{task}"
    )


def _go_offline() -> None:
    """Use a copy in the cache; without one, fail at once, not after retries."""
    import datasets
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True
    datasets.config.HF_HUB_OFFLINE = True


def _load(hub: HubSource, task: str, folder: Path | None) -> Mapping[str, Any]:
    import datasets
    from datasets.utils.logging import set_verbosity_error
    from huggingface_hub.utils import logging as hub_logging

    set_verbosity_error()
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        local = None if folder is None else str(folder.resolve())
        revision = None if local else hub.revision
        with nullcontext() if local else _unshadowed(hub.repository):
            loaded: Mapping[str, Any] = datasets.load_dataset(
                local or hub.repository, data_dir=hub.data_dir, revision=revision
            )
        return loaded
    except Exception as error:
        raise DataError(f"task {task!r}: {_why_not(error, hub, task)}") from error
    finally:
        if not shown:
            datasets.enable_progress_bars()


@contextmanager
def _unshadowed(repository: str) -> Iterator[None]:
    """Leave a working directory with a folder of that name: ``datasets`` would load it."""
    if not Path(repository).exists():
        yield
        return
    with tempfile.TemporaryDirectory() as empty, chdir(empty):
        yield


def _why_not(error: Exception, hub: HubSource, task: str) -> str:
    reason = " ".join(str(error).split())[:160]
    if "scripts are no longer supported" in reason:
        return (
            f"{title(hub)} is a loading script, which nothing runs any more; name a revision with "
            "files, such as refs/convert/parquet, under [hub] in the task's declaration"
        )
    why = f"{title(hub)} cannot be loaded ({type(error).__name__}: {reason})"
    if hub.is_folder:
        return why
    if isinstance(error, (ConnectionError, TimeoutError)) or "ffline" in reason:
        why = f"{title(hub)} cannot be reached from here"
    return (
        f"{why}; where there is network, run: {download_command(hub, task)}; then pass --data DIR"
    )


def _table(dataset: Any, name: str) -> RawTable:
    def rows() -> Iterator[RawRow]:
        for number, row in enumerate(dataset, start=1):
            yield f"{name}: row {number}", row

    return RawTable(
        name,
        rows,
        class_names=class_names(dataset.features.to_dict()),
        fingerprint=dataset._fingerprint,  # of files and revision; it has no public name
    )


def _commit_of(dataset: Any) -> str | None:
    """``datasets`` names the folder of a repository after the commit."""
    for file in dataset.cache_files:
        match = _COMMIT.search(str(file["filename"]))
        if match:
            return match.group(1)
    return None


def _reachable() -> bool:
    """Whether the hub answers; assumed with a proxy."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        return True
    if os.environ.get("HF_HUB_OFFLINE"):
        return False
    address = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=SECONDS):
            return True
    except OSError:
        return False


def title(hub: HubSource) -> str:
    """A repository in messages."""
    return hub.repository if hub.is_folder else f"{hub.repository}@{hub.revision}"
