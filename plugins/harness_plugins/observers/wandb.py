"""Runs in Weights & Biases: ``--plugin harness_plugins.observers.wandb``.

Its own variables apply: ``WANDB_API_KEY``, ``WANDB_MODE=offline``, ``WANDB_DIR``, ``WANDB_PROJECT``
(without it ``freeal-harness``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import hookimpl
from harness.config import Config
from harness.results import StageResult
from harness_plugins.observers.stage_numbers import needs, numbers_of, settings_of, step_of

needs("wandb")

PROJECT = "freeal-harness"
_runs: list[Any] = []
"""The run that is being done; one process does one run at a time."""


@hookimpl
def harness_run_started(config: Config, folder: Path) -> None:
    """Begin a run with the configuration, or go on with it."""
    import wandb

    _end(0)
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        id=folder.name,
        name=folder.name,
        group=folder.parent.name,
        config=settings_of(config),
        resume="allow",
        settings=wandb.Settings(console="off"),  # what is printed is not its business
    )
    _runs.append(run)


@hookimpl
def harness_round_finished(stages: Sequence[StageResult]) -> None:
    """Log the numbers of both stages."""
    for run in _runs:
        for stage in stages:
            run.log(numbers_of(stage), step=step_of(stage))


@hookimpl
def harness_run_finished() -> None:
    """End the run."""
    _end(0)


@hookimpl
def harness_run_failed() -> None:
    """End the run as failed; the same command goes on with it."""
    _end(1)


def _end(code: int) -> None:
    while _runs:
        _runs.pop().finish(exit_code=code)
