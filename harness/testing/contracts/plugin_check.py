"""``harness plugins check``: all contracts of a plugin, in a process of its own.

So a part that ends the process ends only that one (the rest is checked in a new one), and what
the plugin imports early is seen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.testing.contracts.suite import IMPORTED, Finding

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
    order = {"name": name, "choice": dict(choice), "specs": list(specs)}
    first: int | None = 0
    while first is not None:
        first = yield from _checked_from(first, order)


def _checked_from(first: int, order: Mapping[str, Any]) -> Generator[Finding, None, int | None]:
    """Findings of the checks from a number on, in a new process.

    Returns:
        Where to go on after a check that ended the process; None: all are done, or none can be.
    """
    begun, number, ended = Finding("import", IMPORTED, plugin=order["name"]), -1, False
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", CHILD, json.dumps({**order, "first": first})],
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
        )
        assert child.stdout is not None
        with child, child.stdout:
            for event in map(json.loads, child.stdout):
                ended = ended or "ended" in event
                if "begun" in event:
                    begun, number = Finding(**event["begun"]), event["number"]
                elif "finding" in event:
                    yield Finding(**event["finding"])
        if ended:
            return None
        said.seek(0)
        last = next((line for line in reversed(said.read().splitlines()) if line.strip()), "")
        message = f"it ended the process (exit code {child.returncode}){last and ': '}{last}"
        yield replace(begun, message=message)
    return None if number < 0 else number + 1
