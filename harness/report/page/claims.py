"""What the numbers support, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.metrics import SCORE_NAMES
from harness.report.charts.axes import signed
from harness.report.differences import Difference
from harness.report.page.arms import Arm
from harness.report.page.overview import Overview
from harness.report.page.scores import SPLITS, Mean, Scores, Stage
from harness.report.tables import LEVEL

LEAST = 0.001
"""Smaller p are not told apart."""


def claims(of: Overview) -> list[str]:
    """What was run, what the method gained by its rounds, and which methods differ."""
    arms = of.scores.arms
    said = [_what(arms), *_gain(of.scores, of.baseline), *_others(of.baseline, of.differences)]
    if names := [arm.name for arm in arms if arm.first.supervised]:
        which = "all of them" if len(names) == len(arms) else _listed(names)
        said.append(f"Supervised, since the annotations depend on gold or human labels: {which}.")
    return said


def _what(arms: Sequence[Arm]) -> str:
    runs = sum(len(arm.runs) for arm in arms)
    first = arms[0].first
    methods = "one method" if len(arms) == 1 else f"{len(arms)} methods"
    sizes = first.provenance.get("data", {}).get("sizes", {})
    test = f", {sizes['test']:,} of a test set" if "test" in sizes else ""
    pool, metric = f"{first.stages[0].n:,} examples of the pool", SCORE_NAMES[first.metric]
    return f"{runs} run{'s' * (runs > 1)} of {methods} on {first.task}: {metric} on {pool}{test}."


def _gain(scores: Scores, arm: Arm) -> list[str]:
    """From the first answers to the last student; answers made with gold labels are no start."""
    split = scores.split
    if split is None:
        return ["Without gold labels nothing here is a score."]
    scored = [
        (stage, one)
        for stage in (Stage(arm, name, split) for name in arm.stages())
        if (one := scores.mean(stage)) is not None
        and not (arm.first.supervised and arm.at(stage.name)[0].actor == "annotator")
    ]
    if len(scored) < 2:
        return []
    (first, before), (last, after) = scored[0], scored[-1]
    actors = [arm.at(stage.name)[0].actor for stage in (first, last)]
    gain = signed(100 * (after.value - before.value))
    said = (
        f"{arm.name}: {_value(before)} on the {SPLITS[split]} after {first.name} ({actors[0]}), "
        f"{_value(after)} after {last.name} ({actors[1]}), {gain} points."
    )
    return [said + _verdict(scores.difference(last, first), len(arm.runs))]


def _verdict(found: Difference | None, runs: int) -> str:
    """Whether a difference is more than chance may make."""
    if found is None or found.p is None or found.low is None or found.high is None:
        return f" No test is possible with {runs} run{'s' * (runs > 1)}."
    p = f"p = {found.p:.2g}" if found.p >= LEAST else f"p < {LEAST}"
    interval = f"95 %: {signed(100 * found.low)} to {signed(100 * found.high)}, {p}"
    if found.p < LEVEL:
        return f" A paired test supports the difference ({interval})."
    return f" That may be chance ({interval})."


def _others(baseline: Arm, differences: Mapping[str, Difference]) -> list[str]:
    if not differences:
        return []
    sure = {n: d for n, d in differences.items() if d.p is not None and d.p < LEVEL}
    said = []
    for word, sign in (("better", 1), ("worse", -1)):
        names = [name for name, one in sure.items() if one.mean * sign > 0]
        if names:
            said.append(f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {word}")
    rest = len(differences) - len(sure)
    if rest:
        untested = sum(one.p is None for one in differences.values())
        why = "have too few seeds to tell" if untested == rest else "differ no more than chance may"
        said.append(f"{rest} {why}" if sure else f"all {rest} {why}")
    total = len(differences)
    return [
        f"Of {total} other method{'s' * (total > 1)}, compared with {baseline.name}: "
        f"{'; '.join(said)}."
    ]


def _value(one: Mean) -> str:
    shown = f"{100 * one.value:.1f} %"
    if one.interval is None:
        return shown
    return f"{shown} ({100 * one.interval.low:.1f} to {100 * one.interval.high:.1f})"


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
