"""A hash of the source of a part: when it changes, results may change."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def digest(files: Sequence[Path]) -> str:
    """Sixteen hexadecimal digits of the files' content and of their names."""
    total = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        total.update(f"{file.name} {len(content)}\n".encode() + content)
    return total.hexdigest()[:16]


def package_files(plugin: object) -> list[Path]:
    """Every ``.py`` file of the topmost package that a plugin is in; of a single file, that one."""
    name = _module_of(plugin)
    parts = name.split(".")
    for end in range(1, len(parts)):
        init = _file(".".join(parts[:end]))
        if init is not None and init.name == "__init__.py":
            return sorted(init.parent.rglob("*.py"))
    own = _file(name)
    if own is None:
        return []
    return sorted(own.parent.rglob("*.py")) if own.name == "__init__.py" else [own]


def room_files(plugin: object) -> list[Path]:
    """The files of a plugin's own package, and those that they import from its top package.

    So a change in one room does not count as a change of parts in another.
    """
    name = _module_of(plugin)
    top, own = name.partition(".")[0], _file(name)
    init = _file(top)
    if own is None or init is None:
        return []
    waiting, found = [*own.parent.rglob("*.py")], set[Path]()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported(file, top, init.parent)
    return sorted(found)


def _imported(file: Path, top: str, root: Path) -> Iterator[Path]:
    """The files of a top-level package that a file imports, also inside functions."""
    text = file.read_text(encoding="utf-8", errors="replace")
    for name in re.findall(
        rf"^\s*(?:from|import)\s+{re.escape(top)}\.([\w.]+)", text, re.MULTILINE
    ):
        path = root.joinpath(*name.split("."))
        for one in (path.with_suffix(".py"), path / "__init__.py"):
            if one.is_file():
                yield one


def _module_of(plugin: object) -> str:
    """The name of a module, or of the module of an object's class."""
    named = plugin if hasattr(plugin, "__file__") else type(plugin)
    return str(getattr(named, "__name__" if hasattr(plugin, "__file__") else "__module__", ""))


def _file(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file) if file is not None and Path(file).is_file() else None
