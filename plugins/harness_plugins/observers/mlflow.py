"""Runs in MLflow: ``--plugin harness_plugins.observers.mlflow``.

``MLFLOW_TRACKING_URI`` says where they go (a server, or ``sqlite:///mlflow.db``), and
``MLFLOW_EXPERIMENT_NAME`` to which experiment; without it to ``freeal-harness``.
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

needs("mlflow")

EXPERIMENT = "freeal-harness"
RUN = "harness.run_id"
"""The tag by which a run that goes on is found again."""
_runs: list[tuple[Any, str]] = []
"""Client and id of the run that is being done; one process does one run at a time."""


@hookimpl
def harness_run_started(config: Config, folder: Path) -> None:
    """Begin a run with the configuration as parameters, or go on with it."""
    from mlflow import MlflowClient

    client = MlflowClient()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    found = client.get_experiment_by_name(name)
    experiment = client.create_experiment(name) if found is None else found.experiment_id
    earlier = client.search_runs([experiment], f"tags.`{RUN}` = '{folder.name}'")
    if earlier:
        run = earlier[0].info.run_id
        client.set_terminated(run, "RUNNING")
    else:
        tags = {RUN: folder.name, "task": folder.parent.name}
        run = client.create_run(experiment, run_name=folder.name, tags=tags).info.run_id
        for key, value in settings_of(config).items():
            client.log_param(run, key, value[:500])
    _runs[:] = [(client, run)]


@hookimpl
def harness_round_finished(stages: Sequence[StageResult]) -> None:
    """Log the numbers of both stages."""
    for client, run in _runs:
        for stage in stages:
            for name, value in numbers_of(stage).items():
                client.log_metric(run, name, value, step=step_of(stage))


@hookimpl
def harness_run_finished() -> None:
    """Mark the run as finished."""
    _end("FINISHED")


@hookimpl
def harness_run_failed() -> None:
    """Mark the run as failed; the same command goes on with it."""
    _end("FAILED")


def _end(state: str) -> None:
    while _runs:
        client, run = _runs.pop()
        client.set_terminated(run, state)
