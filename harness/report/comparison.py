"""Two methods side by side: what differs between them, and whether their scores do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from harness.config import flat
from harness.data import IntArray
from harness.errors import CommandError
from harness.record import layout
from harness.record.finished import FinishedRun
from harness.record.folder import RunFolder
from harness.record.outcomes import SplitOutcomes, read_outcomes
from harness.results import RunResult
from harness.stats.intervals import score_interval
from harness.stats.outcomes import Interval, Outcomes
from harness.stats.paired import Comparison, compare, compare_seed_by_seed
from harness.stats.seeds import mean_of_seeds

SPLITS: Mapping[str, str] = {"train": "pool", "test": "test", "validation": "validation"}
"""Names of splits, and what they are called where people read them."""


Pair: TypeAlias = tuple[SplitOutcomes, SplitOutcomes]
"""Two methods on the same examples, run by the same seed."""


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
    for stage in _common_stages(pairs):
        found = [(outcomes_of(a, stage), outcomes_of(b, stage)) for a, b in pairs]
        for split in SPLITS:
            made = _compared(stage, split, found)
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


def outcomes_of(run: FinishedRun, stage: str) -> dict[str, SplitOutcomes]:
    """What a stage got right by split; empty for runs of versions that did not keep it."""
    return outcomes_in(run.folder, stage)


def outcomes_in(folder: RunFolder, stage: str) -> dict[str, SplitOutcomes]:
    """The same of a run that may be unfinished, or whose folder holds its results alone."""
    name = layout.outcomes(stage)
    return folder.read(name, read_outcomes) if folder.has(name) else {}


def aligned(first: SplitOutcomes, second: SplitOutcomes) -> Pair | None:
    """Both on the examples that both have; None if there are none."""
    here = set(second.ids)
    ids = tuple(one for one in first.ids if one in here)
    return (first.of(ids), second.of(ids)) if ids else None


def compare_pairs(pairs: Sequence[Pair]) -> Comparison:
    """Second less first, from a pair a seed.

    Where all seeds have the same examples, by examples and seeds (``stats.paired``); else, as runs
    of other seeds draw other examples, by seeds alone.
    """
    if len({pair[0].ids for pair in pairs}) == 1:
        first, second = (_stacked([pair[side] for pair in pairs]) for side in (0, 1))
        return compare(second, first)
    each = [second.outcomes.score - first.outcomes.score for first, second in pairs]
    return compare_seed_by_seed(each, sum(len(first.ids) for first, _ in pairs))


def _stacked(seeds: Sequence[SplitOutcomes]) -> Outcomes:
    return Outcomes(np.concatenate([one.outcomes.counts for one in seeds]))


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


def _compared(
    stage: str,
    split: str,
    found: Sequence[tuple[Mapping[str, SplitOutcomes], Mapping[str, SplitOutcomes]]],
) -> Compared | str:
    """Both on a split; or why not, empty where neither has it."""
    have = [split in one for pair in found for one in pair]
    if not all(have):
        return "one of the two has no score there" if any(have) else ""
    pairs = [pair for a, b in found if (pair := aligned(a[split], b[split])) is not None]
    if len(pairs) < len(found):
        return "the two have no example in common"
    gained, lost = _changed(pairs)
    return Compared(
        stage,
        split,
        _side([first for first, _ in pairs]),
        _side([second for _, second in pairs]),
        compare_pairs(pairs),
        gained,
        lost,
    )


def _changed(pairs: Sequence[Pair]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids that the second, and that the first, has right in more of the seeds."""
    change: dict[str, int] = {}
    for first, second in pairs:
        more = _right(second.outcomes) - _right(first.outcomes)
        for id_, one in zip(first.ids, more.tolist(), strict=True):
            change[id_] = change.get(id_, 0) + one
    return (
        tuple(id_ for id_, one in change.items() if one > 0),
        tuple(id_ for id_, one in change.items() if one < 0),
    )


def _right(outcomes: Outcomes) -> IntArray:
    """int64 ``[n]``: 1 where the example is right; of a sentence all mentions, and no other."""
    counts = outcomes.counts[0]
    if counts.shape[1] == 1:
        return np.asarray(counts[:, 0], dtype=np.int64)
    return np.asarray((counts == counts[:, :1]).all(axis=1), dtype=np.int64)


def _side(seeds: Sequence[SplitOutcomes]) -> Side:
    if len({one.ids for one in seeds}) == 1:
        outcomes = _stacked(seeds)
        return Side(outcomes.score, score_interval(outcomes))
    found = mean_of_seeds([one.outcomes.score for one in seeds])
    return Side(found.mean, found.interval)


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
