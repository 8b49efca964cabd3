"""The rooms, read from the source: imports point one way, and the core knows no part."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from pathlib import Path

import pytest

import harness
import harness_plugins
import harness_tasks
from harness.data import TaskCard
from harness.plugin_manager import BUILTINS, KINDS, Plugins
from harness.record.provenance import versions
from harness.results import StageResult

HEAVY = ("torch", "transformers", "datasets", "openai", "litellm", "sklearn")

LAYERS = (
    ("harness",),
    (
        "harness.plugin_manager",
        "harness.files",
        "harness.audit",
        "harness.stats",
        "harness.scaffold",
    ),
    ("harness.record",),
    ("harness.run",),
    ("harness.sweep",),
    ("harness.report", "harness.export"),
    ("harness.testing",),
    ("harness.label",),
    ("harness.api",),
    ("harness.cli",),
)
"""Rooms of the core, ``harness`` the root; one imports itself and those above it here."""
ROOT_CHAIN = (
    *("harness.data", "harness.protocols", "harness.hookspecs", "harness.plugin_manager"),
)
PART_LAYERS = (
    (
        ("harness_plugins",),
        ("harness_plugins.llm",),
        ("harness_plugins.annotators",),
        ("harness_plugins.augmenters", "harness_plugins.students"),
        ("harness_plugins.selectors",),
    ),
    (
        ("harness_plugins.llm.send",),
        ("harness_plugins.llm.backends", "harness_plugins.llm.local"),
        ("harness_plugins.llm.batch",),
    ),
    (("harness_tasks.formats",), ("harness_tasks",)),
)
FOR_PARTS = ("harness", "harness.files", "harness.record")
"""Rooms of the core that parts import."""
CIRCLES: dict[tuple[str, str], str] = {}
"""Imports that may close a circle, each with its reason."""
LARGEST_ROOM = 13
"""Files besides ``__init__``."""
DISTRIBUTIONS = versions()
WORDS = {"all", "none", *DISTRIBUTIONS, *TaskCard.__dataclass_fields__, *StageResult.model_fields}
"""Names of parts that mean something else, too, in words that are shown."""


def modules_of(package: str, init: str | None) -> dict[str, Path]:
    """Every module below a package, with its file; not ``python -m``, which starts the program."""
    assert init is not None
    root = Path(init).parent
    found = {}
    for file in sorted(root.rglob("*.py")):
        if file.name == "__main__.py":
            continue
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join([package, *(part for part in parts if part != "__init__")])] = file
    return found


CORE = modules_of("harness", harness.__file__)
PARTS = {
    **modules_of("harness_plugins", harness_plugins.__file__),
    **modules_of("harness_tasks", harness_tasks.__file__),
}
MODULES = CORE | PARTS
TREES = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in MODULES.items()}


def room(module: str) -> str:
    """The package in which a module stands; of a package, itself."""
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


def imports(module: str, *, lazy: bool) -> Iterator[str]:
    """What a module imports, as dotted names; never what only a type checker reads.

    Args:
        module: one without relative imports.
        lazy: also imports inside functions.
    """
    waiting: list[ast.AST] = list(TREES[module].body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{MODULES[module]}:{node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def resolved(imported: str) -> str | None:
    """The module of ours that ``package.module.name`` stands for."""
    for name in (imported, imported.rpartition(".")[0]):
        if name in MODULES:
            return name
    return None


def graph(*, lazy: bool) -> Mapping[str, frozenset[str]]:
    """Which of our modules each of them imports."""
    return {
        name: frozenset(
            target for imported in imports(name, lazy=lazy) if (target := resolved(imported))
        )
        - {name}
        for name in MODULES
    }


EDGES = graph(lazy=True)


def reached(start: str, edges: Mapping[str, Collection[str]] = EDGES) -> set[str]:
    """Everything that a module imports, directly or through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = set(edges[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def layer(module: str, layers: tuple[tuple[str, ...], ...]) -> tuple[int, str] | None:
    """The position of the layer that a module is in, and its room there: the innermost."""
    places = [
        (len(name), position, name)
        for position, names in enumerate(layers)
        for name in names
        if f"{room(module)}.".startswith(f"{name}.")
    ]
    return max(places)[1:] if places else None


def upward(layers: tuple[tuple[str, ...], ...]) -> list[str]:
    """Imports that do not point to the same room or to a lower layer."""
    wrong = []
    for name, targets in EDGES.items():
        for target in targets:
            here, there = layer(name, layers), layer(target, layers)
            if here and there and here[1] != there[1] and here[0] <= there[0]:
                wrong.append(f"{name} imports {target}")
    return wrong


# --- one way -----------------------------------------------------------------------------


def test_the_graph_is_read_at_all() -> None:
    early = graph(lazy=False)
    assert {"harness.data", "harness.errors"} <= early["harness.run.splits"]
    assert "harness.hookspecs" in reached("harness.plugin_manager", early)
    assert "harness.config" not in early["harness.hookspecs"]  # for type checkers only
    assert "harness.run.single" not in early["harness.api.running"]  # inside a function
    assert "harness.run.single" in EDGES["harness.api.running"]
    assert layer("harness.cli.screen.live", LAYERS) == (9, "harness.cli")
    assert layer("harness.data", LAYERS) == (0, "harness")
    assert {"harness.run.loop", "harness.report.tables"} <= set().union(
        *(reached(name) for name in CORE if room(name) == "harness.cli")
    )


@pytest.mark.parametrize("layers", [LAYERS, *PART_LAYERS], ids=lambda layers: layers[-1][0])
def test_imports_point_one_way(layers: tuple[tuple[str, ...], ...]) -> None:
    assert upward(layers) == []


def test_every_room_of_the_core_has_its_layer() -> None:
    known = {name for names in LAYERS for name in names}
    assert {".".join(room(name).split(".")[:2]) for name in CORE} <= known


def test_the_root_points_one_way() -> None:
    assert set(ROOT_CHAIN) <= set(CORE)
    for lower, upper in combinations(ROOT_CHAIN, 2):
        assert upper not in reached(lower), f"{lower} imports {upper}"
    assert EDGES["harness.errors"] == EDGES["harness.data"] == frozenset()


def test_no_circle_among_modules() -> None:
    edges = {
        name: {target for target in targets if (name, target) not in CIRCLES}
        for name, targets in EDGES.items()
    }
    assert [name for name in edges if name in reached(name, edges)] == []
    assert [pair for pair in CIRCLES if pair[0] not in reached(pair[1])] == [], "needless"


def test_rooms_of_an_encoder_student_point_one_way() -> None:
    """What a network is, what its labels are worth, how it is trained; the student on top."""
    below = "harness_plugins.students"
    rooms = (f"{below}.encoder", f"{below}.noise", f"{below}.training")
    apart = {f"{below}.encoder.student", f"{below}.training.terms"}  # the top; formulas alone
    for name in set(PARTS) - apart:
        later = rooms[rooms.index(room(name)) + 1 :] if room(name) in rooms else ()
        assert not [one for one in EDGES[name] - apart if room(one) in later], name
        assert name == f"{below}.factory" or f"{below}.encoder.student" not in EDGES[name]
    assert not [one for one in EDGES[f"{below}.training.terms"] if one in PARTS]


# --- the core and its parts --------------------------------------------------------------


def literals(module: str) -> Iterator[tuple[ast.Constant, ast.AST]]:
    """Every string with what it stands in, but docstrings and the texts of options."""
    waiting: list[ast.AST] = [TREES[module]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("typer."):
            continue
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.Constant):
                waiting.append(child)
            elif isinstance(child.value, str) and not isinstance(node, ast.Expr):
                yield child, node


@pytest.fixture(scope="module")
def names() -> set[str]:
    """The name of every built-in part; of selectors, with and without the role."""
    plugins = Plugins(third_party=False)
    # Recipes are called by everyday words (rounds, students), which name other things here.
    full = {name for kind in KINDS if kind != "recipe" for name in plugins.parts(kind)}
    assert {"minilm", "trust/small-loss", "demo", "embedding"} <= full
    return full | {name.rpartition("/")[2] for name in full}


def test_the_core_knows_no_part_by_name(names: set[str]) -> None:
    """A word that a part's name shares with others may be shown; it must decide nothing."""
    deciding = (ast.Compare, ast.Set, ast.Assign, ast.AnnAssign, ast.arguments)
    found = [
        f"{CORE[module]}:{literal.lineno}: {literal.value!r}"
        for module in CORE
        for literal, inside in literals(module)
        if str(literal.value).partition(":")[0] in names
        and (literal.value not in WORDS or isinstance(inside, deciding))
    ]
    assert found == []


def test_the_core_names_no_module_of_its_parts_but_in_one_list() -> None:
    found = {
        (module, str(literal.value))
        for module in CORE
        for literal, _ in literals(module)
        if re.search(r"\bharness_(plugins|tasks)\b", str(literal.value))
    }
    assert {text for _, text in found} == set(BUILTINS) <= set(PARTS)
    assert len({module for module, _ in found}) == 1


def test_the_core_never_imports_its_parts() -> None:
    # Also not for type checkers: parts are plugins like any other.
    for name in CORE:
        for node in ast.walk(TREES[name]):
            imported: list[str] = []
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                imported = [node.module or ""]
            assert not [
                n for n in imported if n.split(".")[0] in ("harness_plugins", "harness_tasks")
            ]


def test_parts_import_what_they_are_made_of_and_nothing_that_runs_them() -> None:
    rooms = {(name, room(target)) for name in PARTS for target in EDGES[name] if target in CORE}
    assert {(name, used) for name, used in rooms if used not in FOR_PARTS} == set()
    managers = {name for name in CORE if name.startswith("harness.plugin_manager")}
    assert not [name for name in PARTS if EDGES[name] & managers]


def test_plugins_and_tasks_know_nothing_of_each_other() -> None:
    tops = {
        (name.split(".")[0], target.split(".")[0])
        for name in PARTS
        for target in EDGES[name] & set(PARTS)
    }
    assert all(one == other for one, other in tops)


def test_selectors_and_students_are_written_without_gold() -> None:
    # The wall between gold labels and parts: only supervised annotators and tasks see any.
    seeing = {name for name in PARTS if "harness.data.Gold" in set(imports(name, lazy=True))}
    assert seeing == {
        *("harness_plugins.annotators.simulated", "harness_tasks.store", "harness_tasks.task")
    }


# --- sizes and names ---------------------------------------------------------------------


def test_no_room_is_crowded() -> None:
    roots = {Path(str(one.__file__)).parent for one in (harness, harness_plugins, harness_tasks)}
    found = [file for root in roots for file in root.rglob("*.py") if file.name != "__init__.py"]
    files = Counter(file.parent for file in found)
    assert {str(name): n for name, n in files.items() if n > LARGEST_ROOM} == {}


def test_a_module_is_found_by_its_name() -> None:
    """A name stands twice at most, with its room once; ``plugin`` registers the room's parts."""
    files = [name for name in MODULES if room(name) != name]
    alone = Counter(name.rpartition(".")[2] for name in files)
    assert {name for name, n in alone.items() if n > 2} <= {"plugin"}
    with_room = Counter(".".join(name.split(".")[-2:]) for name in files)
    assert {name for name, n in with_room.items() if n > 1} <= {"llm.plugin"}
    empty_words = ("util", "helper", "manager2", "base", "misc", "common")
    assert not [name for name in files if name.rpartition(".")[2].startswith(empty_words)]


# --- weight ------------------------------------------------------------------------------


def test_importing_the_whole_core_imports_nothing_heavy() -> None:
    script = (
        "import importlib, json, sys\n"
        f"for name in {list(CORE)!r}:\n    importlib.import_module(name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, encoding="utf-8"
    ).stdout
    modules = set(json.loads(printed))
    assert set(CORE) <= modules
    assert not modules & set(HEAVY)
    assert not [name for name in modules if name.startswith(("harness_plugins", "harness_tasks"))]


def test_registering_every_built_in_part_imports_nothing_heavy() -> None:
    for module in BUILTINS:
        reached_early = {module} | reached(module, graph(lazy=False))
        early = {name.split(".")[0] for one in reached_early for name in imports(one, lazy=False)}
        assert not early & set(HEAVY), module
