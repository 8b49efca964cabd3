"""Do the stages of runs differ by more than chance? Each with its interval, and paired differences.

    python -m tests.benchmarks.stages RUNS TASK

All finished runs of a task below the folder RUNS, one a seed. In %, 95 % intervals over test
examples, of several runs over examples and seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.api.finished_runs import runs
from harness.data import FloatArray
from harness.report.differences import Records, common, compared, together
from harness.stats.intervals import score_interval
from harness.stats.outcomes import Interval, Outcomes
from harness.stats.seeds import over_seeds

DIFFERENCES = ((0, 1), (0, 2), (1, 3), (0, 3))
"""Of the stages in their order, the earlier first: what a student, feedback, and both add."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("task")
    options = parser.parse_args()
    records = [run.records for run in runs(out=options.out, task=options.task)]
    names = [stage.stage for stage in records[0].result.stages]
    shared = Records()
    found = [[shared.of(one.folder, name)["test"] for one in records] for name in names]
    stages = [together(one) for one in found]
    print(f"{options.task}: {len(records)} runs, {stages[0].examples} test examples")
    for name, stage in zip(names, stages, strict=True):
        print(f"{name}  {line(stage.score, chance(stage), each(stage.scores))}")
    for first, second in DIFFERENCES:
        pairs = [common(*pair) for pair in zip(found[first], found[second], strict=True)]
        paired = compared(pairs)
        assert paired is not None
        gains = each(stages[second].scores - stages[first].scores)
        said = line(paired.difference, paired.interval, gains)
        print(f"{names[second]} - {names[first]}  {said}  p {paired.p:.3f}")


def chance(stage: Outcomes) -> Interval:
    return over_seeds(stage).interval if stage.seeds > 1 else score_interval(stage)


def each(scores: FloatArray) -> Sequence[float]:
    return [float(one) for one in scores]


def line(score: float, interval: Interval, seeds: Sequence[float]) -> str:
    by_seed = " ".join(f"{100 * one:+.1f}" for one in seeds)
    return f"{100 * score:6.2f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})  {by_seed}"


if __name__ == "__main__":
    main()
