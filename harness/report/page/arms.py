"""Runs that differ only in the seed, as one method, and what it scored."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import flat
from harness.metrics import Score
from harness.results import RunResult, StageResult
from harness.stats.intervals import wilson
from harness.stats.outcomes import Interval

SPEC = ".spec"
CONTENT = " content"
"""Ends the name of a hash of what a part reads."""
LEVEL = 0.95
EQUAL = 1e-12
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


@dataclass(frozen=True, slots=True)
class Measured:
    """A mean over seeds, and its 95 % interval where there is one."""

    value: float
    interval: Interval | None
    seeds: int


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


def measured(arm: Arm, stage: str, split: str) -> Measured | None:
    """The score of a stage on a split: a field of ``StageResult``.

    The interval of one run is Wilson's, of examples; that of several Student's, of seeds.
    """
    found: list[Score] = [one for of in arm.at(stage) if (one := getattr(of, split)) is not None]
    if not found:
        return None
    values = [one.score for one in found]
    mean = statistics.fmean(values)
    if len(values) == 1:
        return Measured(mean, _of_one(arm.first, found[0], split), 1)
    return Measured(mean, _over_seeds(values, mean), len(values))


def best_split(runs: Sequence[Kept]) -> str | None:
    """The first of ``SPLITS`` that any run was scored on; None without gold labels."""
    stages = [stage for run in runs for stage in run.result.stages]
    return next((one for one in SPLITS if any(getattr(s, one) is not None for s in stages)), None)


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


def _of_one(run: RunResult, score: Score, split: str) -> Interval | None:
    if score.interval is not None:
        return Interval(*score.interval)
    sizes = run.provenance.get("data", {}).get("sizes", {})
    n = score.n or sizes.get("test" if split == "inductive" else "train")
    if run.metric != "accuracy" or not n:
        return None
    return wilson(round(score.score * n), n)


def _over_seeds(values: Sequence[float], mean: float) -> Interval | None:
    from scipy.stats import t

    error = statistics.stdev(values) / len(values) ** 0.5
    if error < EQUAL:
        return None  # so few values that are all alike say nothing of chance
    reach = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    return Interval(max(0.0, mean - reach), min(1.0, mean + reach))


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
