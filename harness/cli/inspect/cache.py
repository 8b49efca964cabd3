"""``harness cache``: what is kept for later runs: its size, and how to empty or copy it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.grouped import WholeSummaries
from harness.cli.options import OutOption
from harness.cli.screen.output import say
from harness.errors import CommandError
from harness.record.layout import REPLIES, RUNS, STEPS, cached_splits, data_cache

cache = typer.Typer(
    cls=WholeSummaries,
    help="What is kept for later runs: sizes; prune it; export paid replies.",
    rich_markup_mode=None,
)


@cache.callback(invoke_without_command=True)
def sizes(context: typer.Context, out: OutOption = None) -> None:
    """Print what is kept for later runs, and how large it is."""
    if context.invoked_subcommand is not None:
        return
    for name, (path, files) in _kept(out or RUNS).items():
        say(f"{name:<8}  {_size(_held(files)):>9}  {len(files):6} files  {path}")


@cache.command()
def prune(
    out: OutOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the steps that runs share, and copies of large data; runs and paid replies stay.

    What is missing is done again when it is needed. Not while a run or a sweep works.
    """
    (steps, made), (cached, copies) = (_kept(out or RUNS)[name] for name in ("steps", "data"))
    held = _held([*made, *copies])
    if not held:
        say(f"nothing to remove in {steps} and {cached}")
        return
    if not yes:
        typer.confirm(f"Remove {_size(held)} in {steps} and {cached}?", abort=True, err=True)
    for folder in [*([steps] if made else []), *cached_splits(cached)]:
        shutil.rmtree(folder)
    say(f"removed {_size(held)}")


@cache.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    out: OutOption = None,
) -> None:
    """Copy every reply of language models to one file, also while runs write.

    Put it as replies.sqlite into another --out: what it holds is not paid for again.
    """
    replies = (out or RUNS) / REPLIES
    if not replies.is_file():
        raise CommandError(f"{replies}: there are no replies")
    if target.exists():
        raise CommandError(f"{target}: is there already; choose another name")
    source, copy = sqlite3.connect(replies), sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        source.close()
        copy.close()
    say(str(target))


def _size(count: int) -> str:
    """As ``harness runs`` writes it; a table's modules are read only here."""
    from harness.cli.screen import runs

    return runs.size(count)


def _kept(out: Path) -> dict[str, tuple[Path, list[Path]]]:
    """Where each is kept, and its files."""
    cached = data_cache()
    copies = [file for folder in cached_splits(cached) for file in _files(folder)]
    return {
        "replies": (out / REPLIES, _files(out / REPLIES)),
        "steps": (out / STEPS, _files(out / STEPS)),
        "data": (cached, copies),
    }


def _files(path: Path) -> list[Path]:
    """A file with what SQLite keeps next to it, or all files of a folder."""
    found = path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.name}*")
    return [file for file in found if file.is_file()]


def _held(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)
