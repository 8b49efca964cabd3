"""The contracts of observers: whatever a run tells them, they go on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.config import Config
from harness.metrics import Score
from harness.plugin_manager import Plugins
from harness.plugin_manager.places import place_of
from harness.results import RunResult, StageResult
from harness.testing.contracts.calling import BrokenContractError, asked
from harness.testing.contracts.suite import Finding, Planned


def observer_checks(plugins: Plugins, name: str, plugin: object) -> Iterator[Planned]:
    """Call each observer of a plugin as a finished run, and a failed one, would."""
    info = next(one for one in plugins.infos() if one.name == name)
    with tempfile.TemporaryDirectory() as folder:
        for hook, arguments in _events(Path(folder)).items():
            if hook in info.hooks:
                function: Any = getattr(plugin, hook)
                what, place = "it goes on whatever a run tells it", place_of(function)
                kept = Finding(hook, what, "", place, name)
                yield kept, partial(_checked, kept, function, arguments)


def _checked(kept: Finding, function: Any, arguments: Mapping[str, Any]) -> Finding:
    taken = function.__code__.co_varnames[: function.__code__.co_argcount]
    try:
        asked(function, "__call__", *[arguments[one] for one in taken if one in arguments])
    except BrokenContractError as broken:
        return replace(kept, message=broken.message, place=broken.place)
    return kept


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
