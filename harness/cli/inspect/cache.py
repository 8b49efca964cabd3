"""``harness cache``: what is kept for later runs: its size, and how to empty or copy it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import OutOption
from harness.cli.screen.output import say
from harness.cli.screen.runs import size
from harness.errors import CommandError
from harness.record.layout import REPLIES, RUNS, STEPS

cache = typer.Typer(
    help="What is kept for later runs: sizes; prune it; export paid replies.",
    rich_markup_mode=None,
)


@cache.callback(invoke_without_command=True)
def sizes(context: typer.Context, out: OutOption = None) -> None:
    """Print what is kept for later runs, and how large it is."""
    if context.invoked_subcommand is not None:
        return
    for name, path in _kept(out or RUNS).items():
        files = list(_files(path))
        held = sum(file.stat().st_size for file in files)
        say(f"{name:<8}  {size(held):>9}  {len(files):6} files  {path}")


@cache.command()
def prune(
    out: OutOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the steps that runs share; runs and paid replies stay.

    What is missing is done again when a sweep needs it. Not while a sweep runs.
    """
    folder = _kept(out or RUNS)["steps"]
    held = sum(file.stat().st_size for file in _files(folder))
    if not held:
        say(f"nothing to remove in {folder}")
        return
    if not yes:
        typer.confirm(f"Remove {size(held)} in {folder}?", abort=True, err=True)
    shutil.rmtree(folder)
    say(f"removed {size(held)}")


@cache.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    out: OutOption = None,
) -> None:
    """Copy every reply of language models to one file, also while runs write.

    Put it as replies.sqlite into another --out: what it holds is not paid for again.
    """
    replies = _kept(out or RUNS)["replies"]
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


def _kept(out: Path) -> dict[str, Path]:
    return {"replies": out / REPLIES, "steps": out / STEPS}


def _files(path: Path) -> Iterator[Path]:
    """A file with what SQLite keeps next to it, or all files of a folder."""
    found = path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.name}*")
    return (file for file in found if file.is_file())
