"""Runs in TensorBoard: ``--plugin harness_plugins.observers.tensorboard``.

Event files go to ``OUT/tensorboard/<task>/<run-id>``: ``tensorboard --logdir OUT/tensorboard``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import hookimpl
from harness.config import Config
from harness.results import StageResult
from harness_plugins.observers.stage_numbers import needs, numbers_of, settings_of, step_of

needs("tensorboard")

FOLDER = "tensorboard"
_writers: list[Any] = []
"""That of the run that is being done; one process does one run at a time."""


@hookimpl
def harness_run_started(config: Config, folder: Path) -> None:
    """Begin event files; those that an earlier process left are read no more."""
    from torch.utils.tensorboard import SummaryWriter

    _close()
    target = folder.parent.parent / FOLDER / folder.parent.name / folder.name
    writer = SummaryWriter(str(target), purge_step=0)
    writer.add_text("configuration", f"    {json.dumps(settings_of(config))}", 0)
    _writers.append(writer)


@hookimpl
def harness_round_finished(stages: Sequence[StageResult]) -> None:
    """Write the numbers of both stages."""
    for writer in _writers:
        for stage in stages:
            for name, value in numbers_of(stage).items():
                writer.add_scalar(name, value, step_of(stage))
        writer.flush()


@hookimpl
def harness_run_finished() -> None:
    """Close the files."""
    _close()


@hookimpl
def harness_run_failed() -> None:
    """Close the files; the next process begins others."""
    _close()


def _close() -> None:
    while _writers:
        _writers.pop().close()
