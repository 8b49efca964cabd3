"""The contracts of observers: whatever a run tells them, they go on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.config import Config
from harness.metrics import Score
from harness.plugin_manager import Plugins
from harness.results import RunResult, StageResult
from harness.testing.contracts.calling import BrokenContractError, asked
from harness.testing.contracts.suite import Finding


def check_observers(plugins: Plugins, name: str, plugin: object) -> Iterator[Finding]:
    """Call each observer of a plugin as a finished run, and a failed one, would."""
    info = next(one for one in plugins.infos() if one.name == name)
    with tempfile.TemporaryDirectory() as folder:
        for hook, arguments in _events(Path(folder)).items():
            if hook not in info.hooks:
                continue
            function = getattr(plugin, hook)
            taken = function.__code__.co_varnames[: function.__code__.co_argcount]
            given = [arguments[one] for one in taken if one in arguments]
            what = "it goes on whatever a run tells it"
            try:
                asked(function, "__call__", *given)
                yield Finding(hook, what)
            except BrokenContractError as broken:
                yield Finding(hook, what, broken.message, broken.place, name)


def _events(folder: Path) -> dict[str, dict[str, Any]]:
    score = Score(0.5, 0.5, 0.5, {})
    stage = StageResult(
        stage="R1",
        round=0,
        actor="annotator",
        n=2,
        abstained=0,
        annotated=2,
        transductive=score,
        inductive=None,
    )
    result = RunResult(
        run_id="tiny",
        task="tiny",
        kind="sequence",
        metric="accuracy",
        supervised=False,
        config=Config().model_dump(),
        provenance={},
        seconds=1.0,
        cost_usd=0.0,
        stages=[stage],
    )
    return {
        "harness_run_started": {"config": Config(), "folder": folder},
        "harness_round_finished": {"round": 0, "stages": [stage]},
        "harness_run_finished": {"result": result, "folder": folder},
        "harness_run_failed": {"error": ValueError("planted"), "folder": folder},
    }
