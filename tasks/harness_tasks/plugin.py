"""Registers every TOML file of this folder, and ``--task my.toml``."""

from __future__ import annotations

import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import TaskRequest
    from harness_tasks.task import DeclaredTask

FOLDER = Path(__file__).parent


@hookimpl
def harness_register_tasks(register: Register) -> None:
    """The shipped tasks, by the names of their files."""
    for file in sorted(FOLDER.glob("*.toml")):
        make, default = partial(_shipped, file), file.stem == "demo"
        register(file.stem, make, summary=_title(file), default=default)
    register(
        "file", _from_file, summary="a task of your own: --task path/to/task.toml", reads=".toml"
    )


def _shipped(file: Path, request: TaskRequest) -> DeclaredTask:
    from harness_tasks.task import DeclaredTask

    request.spec.no_argument()
    request.spec.check_options()
    return DeclaredTask(file, request.data, declaration_only=request.declaration_only)


def _from_file(request: TaskRequest) -> DeclaredTask:
    from harness.errors import CommandError
    from harness_tasks.task import DeclaredTask

    if not request.spec.argument:
        raise CommandError("task 'file' needs a path: --task path/to/task.toml")
    path = Path(request.spec.argument)
    if not path.is_file():
        raise CommandError(f"--task {path}: no such task file")
    return DeclaredTask(path, request.data, declaration_only=request.declaration_only)


def _title(file: Path) -> str:
    """Of a shipped task; its tables, the labels and patterns, take long to read."""
    head, _, _ = file.read_text(encoding="utf-8").partition("\n[")
    return str(tomllib.loads(head)["title"])
