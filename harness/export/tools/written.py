"""Suggestions as a file of a labelling tool."""

from __future__ import annotations

import json
from pathlib import Path

from harness.export.tools import argilla, label_studio
from harness.export.tools.suggestions import suggestions
from harness.protocols import Task
from harness.record.finished import FinishedRun
from harness.record.folder import new_text
from harness.results import StageResult

TOOLS = {"label-studio": label_studio.tasks, "argilla": argilla.records}
"""Those that are known."""


def write_suggestions(
    run: FinishedRun, task: Task, stage: StageResult, to: Path, tool: str, most: int = 0
) -> tuple[int, Path | None]:
    """Write ``suggestions`` as JSON for one of ``TOOLS``.

    Returns how many, and the file beside them with the labelling interface that a tool needs.
    """
    found = suggestions(run, task, stage, most)
    made = TOOLS[tool](found, run.result.run_id)
    new_text(to, json.dumps(made, ensure_ascii=False, indent=1) + "\n")
    if TOOLS[tool] is not label_studio.tasks:
        return len(found), None
    interface = to.with_suffix(".xml")
    labels = [label.name for label in task.card.labels]
    new_text(interface, label_studio.interface(task.card.kind, labels))
    return len(found), interface
