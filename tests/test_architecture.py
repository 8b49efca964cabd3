"""The core imports one way, without cycles, and nothing heavy. Read from the source."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import pytest

import harness
import harness_plugins
import harness_tasks

HEAVY = ("torch", "transformers", "datasets", "openai", "litellm", "sklearn")

# Each may import those before it and never one behind it.
CHAINS = (
    (
        *("harness.data", "harness.protocols", "harness.hookspecs"),
        *("harness.plugin_manager", "harness.run.loop", "harness.cli"),
    ),
    ("harness.data", "harness.results", "harness.report.tables", "harness.cli"),
)


def modules_of(package: str, init: str | None) -> dict[str, Path]:
    """Every module below a package, with its file."""
    assert init is not None
    root = Path(init).parent
    found = {}
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join([package, *(part for part in parts if part != "__init__")])] = file
    return found


CORE = modules_of("harness", harness.__file__)
PARTS = {
    **modules_of("harness_plugins", harness_plugins.__file__),
    **modules_of("harness_tasks", harness_tasks.__file__),
}


def imports(file: Path, *, lazy: bool) -> Iterator[str]:
    """What a file imports, as dotted names; never what only a type checker reads.

    Args:
        file: a Python file without relative imports.
        lazy: also imports inside functions.
    """
    waiting: list[ast.AST] = list(ast.parse(file.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def graph(*, lazy: bool) -> Mapping[str, frozenset[str]]:
    """Which modules of the core each of them imports."""
    return {
        name: frozenset(
            target for imported in imports(file, lazy=lazy) if (target := resolved(imported))
        )
        - {name}
        for name, file in CORE.items()
    }


def resolved(imported: str) -> str | None:
    """The module of the core that ``package.module.name`` stands for."""
    for name in (imported, imported.rpartition(".")[0]):
        if name in CORE:
            return name
    return None


def reached(edges: Mapping[str, frozenset[str]], start: str) -> set[str]:
    """Everything that a module imports, directly or through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = edges[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_the_graph_is_read_at_all() -> None:
    edges = graph(lazy=False)
    assert {"harness.data", "harness.errors"} <= edges["harness.run.splits"]
    assert "harness.hookspecs" in edges["harness.plugin_manager.manager"]
    assert "harness.config" not in edges["harness.hookspecs"]  # for type checkers only
    assert "harness.run.loop" not in edges["harness.cli.run"]  # inside a function
    assert "harness.run.loop" in graph(lazy=True)["harness.cli.run"]


def test_no_cycle_among_modules_of_the_core() -> None:
    edges = graph(lazy=False)
    assert [name for name in edges if name in reached(edges, name)] == []


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain[-2])
def test_imports_point_one_way(chain: tuple[str, ...]) -> None:
    assert set(chain) <= set(CORE)
    edges = graph(lazy=True)
    for lower, upper in combinations(chain, 2):
        below = {name for name in reached(edges, lower) if f"{name}.".startswith(f"{upper}.")}
        assert not below, f"{lower} imports {below}"


def test_chains_are_chains() -> None:
    edges = graph(lazy=True)
    commands = set().union(*(reached(edges, name) for name in CORE if "harness.cli" in name))
    assert {"harness.run.loop", "harness.report.tables"} <= commands
    assert {"harness.plugin_manager", "harness.protocols"} <= reached(edges, "harness.run.loop")
    assert "harness.results" in edges["harness.report.tables"]


def test_nothing_but_the_command_line_imports_the_command_line() -> None:
    edges = graph(lazy=True)
    importing = {name for name, targets in edges.items() if any("cli" in t for t in targets)}
    assert all(name.startswith("harness.cli") for name in importing)


def test_values_and_errors_stand_alone() -> None:
    edges = graph(lazy=True)
    assert edges["harness.errors"] == edges["harness.data"] == frozenset()


@pytest.mark.parametrize("name", CORE)
def test_the_core_never_imports_its_parts(name: str) -> None:
    # Also not for type checkers: parts are plugins like any other.
    for node in ast.walk(ast.parse(CORE[name].read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not [n for n in names if n.split(".")[0] in ("harness_plugins", "harness_tasks")]


@pytest.mark.parametrize("name", PARTS)
def test_parts_import_neither_the_loop_nor_the_command_line(name: str) -> None:
    imported = {resolved(target) for target in imports(PARTS[name], lazy=True)}
    runs_things = {
        "harness.run.loop",
        "harness.run.stages",
        "harness.run.assembly",
        "harness.run.splits",
    }
    assert not imported & runs_things
    assert not [target for target in imported if target and target.startswith("harness.cli")]


def test_selectors_and_students_are_written_without_gold() -> None:
    # The wall between gold labels and parts: only supervised annotators and tasks see any.
    seeing = {
        name for name, file in PARTS.items() if "harness.data.Gold" in set(imports(file, lazy=True))
    }
    assert seeing == {
        *("harness_plugins.annotators.simulated", "harness_tasks.store", "harness_tasks.task")
    }


def test_importing_the_whole_core_imports_nothing_heavy() -> None:
    names = [name for name in CORE if not name.endswith("__main__")]
    script = (
        "import importlib, json, sys\n"
        f"for name in {names!r}:\n    importlib.import_module(name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, encoding="utf-8"
    ).stdout
    modules = set(json.loads(printed))
    assert set(names) <= modules
    assert not modules & set(HEAVY)
    assert not [name for name in modules if name.startswith(("harness_plugins", "harness_tasks"))]
