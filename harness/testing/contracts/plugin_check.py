"""``harness plugins check``: all contracts of a plugin, in a process of its own.

So a plugin that ends the process ends only that one, and what it imports early is seen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.testing.contracts.suite import Finding

CHILD = "harness.testing.contracts.child"


def check_plugin(
    name: str, choice: Mapping[str, Any], specs: Sequence[str] = ()
) -> Iterator[Finding]:
    """Check a plugin by its name, its distribution, its module or its file.

    Args:
        name: as ``harness plugins`` lists it, or as ``--plugin`` takes it.
        choice: arguments of ``Plugins``.
        specs: of parts that need an argument, as a run would name them.
    """
    order = json.dumps({"name": name, "choice": dict(choice), "specs": list(specs)})
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", CHILD, order],
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
        )
        assert child.stdout is not None
        begun, ended = "importing it", False
        with child, child.stdout:
            for line in child.stdout:
                event = json.loads(line)
                begun, ended = event.get("begun", begun), "ended" in event
                if "finding" in event:
                    yield Finding(**event["finding"])
        if not ended:
            said.seek(0)
            last = next((line for line in reversed(said.read().splitlines()) if line.strip()), "")
            message = f"it ended the process (exit code {child.returncode}){last and ': '}{last}"
            yield Finding(begun, "it never ends the process", message, "", name)


def as_event(finding: Finding) -> dict[str, Any]:
    """A finding as the child sends it."""
    return {"finding": asdict(finding)}
