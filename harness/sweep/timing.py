"""How long runs will take, from what like runs took."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.config import Config
from harness.results import RunResult


@dataclass(frozen=True, slots=True)
class Duration:
    """What is known of the time that runs take.

    Attributes:
        seconds: of all that could be estimated, one after another; less where they share steps.
        estimated: how many those are.
        unknown: how many are like no finished run.
    """

    seconds: float
    estimated: int
    unknown: int


def duration(configs: Sequence[Config], finished: Sequence[RunResult]) -> Duration:
    """Estimate each run by the median of the finished runs that are most like it.

    Alike are, first, runs that differ in their seeds alone; then those of the same task, limit,
    annotator and student; then those whose student has other settings: the seconds of a round,
    times the rounds.
    """
    timed = [(_rounds(one), one.seconds, one.config) for one in finished]
    found = [_seconds(config.model_dump(mode="json"), timed) for config in configs]
    known = [one for one in found if one is not None]
    return Duration(sum(known), len(known), len(found) - len(known))


def _seconds(
    config: Mapping[str, Any], timed: Sequence[tuple[int, float, Mapping[str, Any]]]
) -> float | None:
    for alike in (_but_seed, _same_parts, _same_names):
        like = [took / rounds for rounds, took, of in timed if alike(of) == alike(config)]
        if like:
            return statistics.median(like) * int(config["rounds"])
    return None


def _rounds(result: RunResult) -> int:
    return max(stage.round for stage in result.stages) + 1


def _but_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in ("seed", "budget_usd")}


def _same_parts(config: Mapping[str, Any]) -> tuple[Any, ...]:
    return *_same_names(config), config["student"]


def _same_names(config: Mapping[str, Any]) -> tuple[Any, ...]:
    names = [config[role]["spec"] for role in ("annotator", "student")]
    return config["task"], config["limit"], *names
