"""Two methods side by side: what differs between them, and whether their scores do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from harness.config import flat
from harness.data import IntArray
from harness.errors import CommandError
from harness.record.finished import FinishedRun
from harness.report.differences import Pair, Records, Right, common, compared, together
from harness.results import RunResult
from harness.stats.intervals import score_interval
from harness.stats.outcomes import Interval
from harness.stats.paired import Comparison

SPLITS: Mapping[str, str] = {"train": "pool", "test": "test", "validation": "validation"}
"""Names of splits, and what they are called where people read them."""
_Both: TypeAlias = tuple[Mapping[str, Right], Mapping[str, Right]]
"""By split, of two runs of a seed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two methods differ: a configuration key, data, or code."""

    what: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Side:
    """The score of one of the two, in [0, 1], with its 95 % interval."""

    score: float
    interval: Interval


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A stage and split of both.

    Attributes:
        paired: second less first, on the examples and seeds that both have.
        gained: ids that only the second has right (of several seeds: in more of them).
        lost: ids that only the first has right, likewise.
    """

    stage: str
    split: str
    first: Side
    second: Side
    paired: Comparison
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TwoMethods:
    """All that ``harness compare`` says.

    Attributes:
        seeds: that both have; empty where a single run of each is compared.
        missing: stages and splits of both that cannot be compared, with the reason.
    """

    metric: str
    seeds: tuple[int, ...]
    differences: tuple[Difference, ...]
    stages: tuple[Compared, ...]
    missing: tuple[str, ...]


def compare_methods(first: Sequence[FinishedRun], second: Sequence[FinishedRun]) -> TwoMethods:
    """Compare the runs of two methods: one of each, or those of the seeds that both have.

    Args:
        first, second: runs of the same task, each of one method, one a seed.

    Raises:
        CommandError: if they are of different tasks, or have no seed in common.
    """
    if first[0].result.task != second[0].result.task:
        tasks = " and ".join(one[0].result.task for one in (first, second))
        raise CommandError(f"runs of {tasks} have no examples in common; compare runs of one task")
    ours, theirs = _by_seed(first), _by_seed(second)
    seeds = [seed for seed in ours if seed in theirs]
    if len(ours) == len(theirs) == 1:
        pairs = [(first[0], second[0])]
    else:
        pairs = [(ours[seed], theirs[seed]) for seed in seeds]
    if not pairs:
        raise CommandError("the two have no seed in common, so no runs that can be paired")
    stages, missing = list[Compared](), list[str]()
    records = Records()
    for stage in _common_stages(pairs):
        found = [(records.of(a.folder, stage), records.of(b.folder, stage)) for a, b in pairs]
        for split in SPLITS:
            made = _compared(stage, split, found, records)
            if isinstance(made, Compared):
                stages.append(made)
            elif made:
                missing.append(f"{stage} {SPLITS[split]}: {made}")
    return TwoMethods(
        metric=pairs[0][0].result.metric,
        seeds=tuple(seeds) if len(pairs) > 1 else (),
        differences=tuple(differences(first[0].result, second[0].result)),
        stages=tuple(stages),
        missing=tuple(missing),
    )


def differences(first: RunResult, second: RunResult) -> list[Difference]:
    """Configuration keys, data and code in which two runs differ, without the seed."""
    found = []
    for name, of in (("", _settings), ("data: ", _data), ("code: ", _code)):
        mine, other = of(first), of(second)
        for key in sorted({*mine, *other}):
            a, b = mine.get(key, "–"), other.get(key, "–")
            if a != b:
                found.append(Difference(name + key, a, b))
    return found


def _by_seed(runs: Sequence[FinishedRun]) -> dict[int, FinishedRun]:
    return {int(run.result.config["seed"]): run for run in runs}


def _common_stages(pairs: Sequence[tuple[FinishedRun, FinishedRun]]) -> list[str]:
    every = [{stage.stage for stage in run.result.stages} for pair in pairs for run in pair]
    if not every:
        return []
    return sorted(set.intersection(*every), key=lambda name: int(name.removeprefix("R")))


def _compared(stage: str, split: str, found: Sequence[_Both], records: Records) -> Compared | str:
    """Both on a split; or why not, empty where neither has it."""
    have = [split in one for pair in found for one in pair]
    if not all(have):
        return "one of the two has no score there" if any(have) else ""
    pairs = [common(a[split], b[split]) for a, b in found]
    paired = compared(pairs)
    if paired is None:
        return "the two share too few examples"
    first, second = (_side([pair[side] for pair in pairs]) for side in (0, 1))
    gained, lost = (records.ids(split, rows) for rows in _changed(pairs))
    return Compared(stage, split, first, second, paired, gained, lost)


def _changed(pairs: Sequence[Pair]) -> tuple[list[int], list[int]]:
    """Numbers of examples that the second, and that the first, has right in more of the seeds."""
    rows = np.concatenate([first.rows for first, _ in pairs])
    more = np.concatenate([_right(second) - _right(first) for first, second in pairs])
    every, places = np.unique(rows, return_inverse=True)
    change = np.bincount(places, more)
    return every[change > 0].tolist(), every[change < 0].tolist()


def _right(of: Right) -> IntArray:
    """int64 ``[n]``: 1 where the example is right; of a sentence all mentions, and no other."""
    if of.counts.shape[1] == 1:
        return np.asarray(of.counts[:, 0], dtype=np.int64)
    return np.asarray((of.counts == of.counts[:, :1]).all(axis=1), dtype=np.int64)


def _side(seeds: Sequence[Right]) -> Side:
    outcomes = together(seeds)
    return Side(outcomes.score, score_interval(outcomes))


def _settings(run: RunResult) -> dict[str, str]:
    return {
        key: str(value)
        for key, value in flat(run.config)
        if key != "seed" and not isinstance(value, Mapping)
    }


def _values(name: str) -> Callable[[RunResult], dict[str, str]]:
    def values(run: RunResult) -> dict[str, str]:
        return {key: str(one)[:12] for key, one in dict(run.provenance.get(name, {})).items()}

    return values


def as_json(methods: TwoMethods) -> dict[str, Any]:
    """Plain values; shares, not per cent."""
    return {
        "metric": methods.metric,
        "seeds": list(methods.seeds),
        "differences": [asdict(one) for one in methods.differences],
        "missing": list(methods.missing),
        "stages": [asdict(one) | {"split": SPLITS[one.split]} for one in methods.stages],
    }


_data, _code = _values("identities"), _values("code")
