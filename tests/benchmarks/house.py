"""Measures the source, as Markdown: ``python -m tests.benchmarks.house [DIR]``. Runs none."""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

import numpy as np

SOURCES = ("harness", "plugins", "tasks")


def parsed(root: Path, *folders: str) -> dict[Path, ast.Module]:
    """Every Python file below the folders, with its tree."""
    files = [file for folder in folders for file in sorted((root / folder).rglob("*.py"))]
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}


def lines_of(file: Path) -> int:
    """Lines of a file, blank ones included."""
    return len(file.read_text(encoding="utf-8").splitlines())


def functions(tree: ast.Module) -> Iterator[int]:
    """Lines of each function and method, from ``def`` to its end, docstring included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


def spread(sizes: Sequence[int]) -> str:
    """Median and 90th percentile."""
    return f"{statistics.median(sizes):.0f} / {np.percentile(sizes, 90):.0f}"


def classes(trees: dict[Path, ast.Module]) -> Iterator[ast.ClassDef]:
    """Every class."""
    for tree in trees.values():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def checkable(trees: dict[Path, ast.Module]) -> set[str]:
    """Names of the protocols that ``isinstance`` may test."""
    return {
        one.name
        for one in classes(trees)
        if any("runtime_checkable" in ast.unparse(mark) for mark in one.decorator_list)
    }


def protocol_tests(trees: dict[Path, ast.Module], protocols: set[str]) -> int:
    """``isinstance`` calls whose second argument names a protocol."""
    calls = [node for tree in trees.values() for node in ast.walk(tree) if is_isinstance(node)]
    return sum(
        bool({word.id for word in ast.walk(call.args[1]) if isinstance(word, ast.Name)} & protocols)
        for call in calls
    )


def is_isinstance(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether a node calls ``isinstance``."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"


def keys_of_the_core(trees: dict[Path, ast.Module]) -> int:
    """Fields of the models in ``harness/config.py``."""
    config = {
        file: tree for file, tree in trees.items() if file.parts[-2:] == ("harness", "config.py")
    }
    return sum(
        isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.unparse(field.annotation)
        for one in classes(config)
        for field in one.body
    )


def figures(root: Path) -> Iterator[tuple[str, object]]:
    """What is measured, and how much it is."""
    trees = parsed(root, *SOURCES)
    sizes = {file: lines_of(file) for file in trees}
    for folder in SOURCES:
        yield (
            f"lines of {folder}",
            sum(n for file, n in sizes.items() if (root / folder) in file.parents),
        )
    yield "lines of the three", sum(sizes.values())
    yield "files", len(trees)
    rooms = Counter(file.parent for file in trees if file.name != "__init__.py")
    largest, most = rooms.most_common(1)[0]
    yield "rooms", len(rooms)
    yield "files of the largest room", f"{most} ({largest.relative_to(root)})"
    yield "a file's lines, median / 90 %", spread([n for n in sizes.values() if n > 1])
    yield (
        "a function's lines, median / 90 %",
        spread([n for t in trees.values() for n in functions(t)]),
    )
    protocols = checkable(trees)
    yield "runtime-checkable protocols", len(protocols)
    yield "isinstance tests on protocols", protocol_tests(trees, protocols)
    yield "configuration keys in the core", keys_of_the_core(trees)
    tests = parsed(root, "tests")
    yield "lines of tests", sum(map(lines_of, tests))


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    root = Path(arguments[0] if arguments else ".").resolve()
    print("| | |\n|---|---:|")
    for what, much in figures(root):
        print(f"| {what} | {much:,} |" if isinstance(much, int) else f"| {what} | {much} |")


if __name__ == "__main__":
    main(sys.argv[1:])
