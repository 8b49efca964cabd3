"""Runs that differ only in the seed, as one method, and what it scored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import flat
from harness.results import RunResult, StageResult

SPEC = ".spec"
CONTENT = " content"
"""Ends the name of a hash of what a part reads."""
SPLITS = {"inductive": "test set", "transductive": "pool"}
"""What a stage is scored on, the better measure first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished run and its folder."""

    result: RunResult
    path: Path

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.result.config["seed"])


@dataclass(frozen=True, slots=True)
class Arm:
    """A method: its name, and its runs in the order of their seeds."""

    name: str
    runs: tuple[Kept, ...]

    @property
    def first(self) -> RunResult:
        """The run of the lowest seed."""
        return self.runs[0].result

    def stages(self) -> list[str]:
        """Names of its stages, in order."""
        names = {stage.stage for run in self.runs for stage in run.result.stages}
        return sorted(names, key=lambda name: int(name[1:]))

    def at(self, stage: str) -> list[StageResult]:
        """A stage of each run that has it."""
        return [one for run in self.runs for one in run.result.stages if one.stage == stage]


def arms_of(runs: Sequence[Kept], labels: Mapping[str, str] | None = None) -> list[Arm]:
    """Group runs of one task.

    Args:
        runs: of one task.
        labels: names by run id, of a sweep; other runs are named by the settings that differ.
    """
    settings = {run.result.run_id: settings_of(run.result) for run in runs}
    groups: dict[str, list[Kept]] = {}
    for run in runs:
        key = (labels or {}).get(run.result.run_id) or repr(settings[run.result.run_id])
        groups.setdefault(key, []).append(run)
    firsts = [settings[group[0].result.run_id] for group in groups.values()]
    arms = [
        Arm(_named(key, place, firsts, labels), tuple(sorted(group, key=lambda run: run.seed)))
        for place, (key, group) in enumerate(groups.items())
    ]
    return arms if labels else sorted(arms, key=lambda arm: _natural(arm.name))


def settings_of(run: RunResult) -> dict[str, str]:
    """The configuration without the seed, and hashes of what the parts read."""
    values: dict[str, Any] = {
        key: value
        for key, value in flat(run.config)
        if key != "seed" and not isinstance(value, Mapping)
    }
    read = run.provenance.get("identities", {})
    return {key: str(value) for key, value in values.items()} | {
        f"{role}{CONTENT}": str(digest)[:8] for role, digest in read.items()
    }


def _named(
    key: str, place: int, settings: Sequence[Mapping[str, str]], labels: Mapping[str, str] | None
) -> str:
    """A label, or the values of the settings that differ; a part's own name for its spec."""
    if labels and key in labels.values():
        return key
    own = settings[place]
    differing = [k for k in own if len({other.get(k) for other in settings}) > 1]
    shown = [k for k in differing if not k.endswith(CONTENT)] or differing
    if not shown:
        return f"{own['annotator.spec']} + {own['student.spec']}"
    return ", ".join(own[k] if k.endswith(SPEC) else f"{k}={own[k]}" for k in shown)


def _natural(name: str) -> list[tuple[bool, float, str]]:
    """A key by which ``shots=5`` comes before ``shots=10``."""
    pieces = re.split(r"(\d+)", name)
    return [(one.isdecimal(), int(one) if one.isdecimal() else 0, one) for one in pieces]
