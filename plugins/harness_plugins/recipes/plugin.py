"""Registers every TOML file of this folder as a recipe, by the file's name."""

from __future__ import annotations

import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register

FOLDER = Path(__file__).parent


@hookimpl
def harness_register_recipes(register: Register) -> None:
    """The recipes that are shipped."""
    for file in sorted(FOLDER.glob("*.toml")):
        summary = str(tomllib.loads(file.read_text(encoding="utf-8")).get("summary", ""))
        register(file.stem, partial(_path, file), summary=summary)


def _path(file: Path, request: None) -> Path:
    return file
