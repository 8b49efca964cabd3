"""freeal-harness: LLM annotators and small student models teach each other a task.

The package is the core: values, protocols, hooks, the loop and the command line.
The parts that do the work live in ``harness_plugins`` and ``harness_tasks`` and
are registered through the same hooks that a third party uses.

In Python everything begins here::

    from harness import run, sweep, load_run, runs, table, compare, plot, label, load_task

Each of these functions is imported when it is first used, and what it needs when it is called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from harness.api.comparing import compare as compare
    from harness.api.finished_runs import load_run as load_run
    from harness.api.finished_runs import runs as runs
    from harness.api.labels_of_texts import label as label
    from harness.api.page_of_runs import plot as plot
    from harness.api.running import load_task as load_task
    from harness.api.running import run as run
    from harness.api.sweeping import sweep as sweep
    from harness.api.tables_of_runs import table as table

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("harness")

_FUNCTIONS = {
    "run": "running",
    "load_task": "running",
    "sweep": "sweeping",
    "compare": "comparing",
    "plot": "page_of_runs",
    **dict.fromkeys(("load_run", "runs"), "finished_runs"),
    "table": "tables_of_runs",
    "label": "labels_of_texts",
}
"""Functions of the Python API, each with its module in ``harness.api``."""

# Three of them are named like the rooms whose work they do. Whoever first imports a module of such
# a room, say ``harness.run.single``, would make the room an attribute of this module. Here that is
# done once, and undone; the rooms stay in ``sys.modules``, so that their modules are found.
for _room in ("run", "sweep", "label"):
    importlib.import_module(f"harness.{_room}")
    del globals()[_room]


def __getattr__(name: str) -> Any:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = getattr(importlib.import_module(f"harness.api.{_FUNCTIONS[name]}"), name)
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *_FUNCTIONS})
