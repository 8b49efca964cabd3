"""freeal-harness: LLM annotators and small student models teach each other a task.

The package is the core: values, protocols, hooks, the loop and the command line.
The parts that do the work live in ``harness_plugins`` and ``harness_tasks`` and
are registered through the same hooks that a third party uses.
"""

from __future__ import annotations

import pluggy

__version__ = "0.1.0"
__all__ = ["__version__", "hookimpl"]

hookimpl = pluggy.HookimplMarker("harness")
