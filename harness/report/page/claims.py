"""What the numbers support, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.report.page.arms import SPLITS, Arm, Measured, best_split, measured
from harness.report.page.axes import signed
from harness.report.page.overview import SCORES, SURE
from harness.report.sweep_scores import Difference, sweep_table


def differences_from(arms: Sequence[Arm], baseline: Arm) -> dict[str, Difference]:
    """Of each other method, where both have a score; p is corrected for their number."""
    split = best_split([run for arm in arms for run in arm.runs])
    if split is None:
        return {}
    runs = {arm.name: {run.seed: run.result for run in arm.runs} for arm in arms}
    made = sweep_table(runs, split, baseline=baseline.name)
    return {row.label: row.difference for row in made.rows if row.difference is not None}


def claims(arms: Sequence[Arm], baseline: Arm, differences: Mapping[str, Difference]) -> list[str]:
    """What was run, what the method gained by its rounds, and which methods differ."""
    said = [_what(arms), *_gain(baseline), *_others(baseline, differences)]
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
    return (
        f"{runs} run{'s' * (runs > 1)} of {methods} on {first.task}: {SCORES[first.metric]} on "
        f"{first.stages[0].n:,} examples of the pool{test}."
    )


def _gain(arm: Arm) -> list[str]:
    """From the first answers to the last student; answers made with gold labels are no start."""
    split = best_split(arm.runs)
    if split is None:
        return ["Without gold labels nothing here is a score."]
    scored = [
        (s, one)
        for s in arm.stages()
        if (one := measured(arm, s, split)) is not None
        and not (arm.first.supervised and arm.at(s)[0].actor == "annotator")
    ]
    if len(scored) < 2:
        return []
    (first, before), (last, after) = scored[0], scored[-1]
    actors = [arm.at(stage)[0].actor for stage in (first, last)]
    gain = signed(100 * (after.value - before.value))
    said = (
        f"{arm.name}: {_value(before)} on the {SPLITS[split]} after {first} ({actors[0]}), "
        f"{_value(after)} after {last} ({actors[1]}), {gain} points."
    )
    return [said + _verdict(arm, split, first, last)]


def _verdict(arm: Arm, split: str, first: str, last: str) -> str:
    """Whether the first and the last stage differ by more than chance may."""
    found = stage_difference(arm, split, first, last)
    if found is None or found.p is None or found.low is None or found.high is None:
        return f" No test is possible with {len(arm.runs)} run{'s' * (len(arm.runs) > 1)}."
    interval = f"95 %: {signed(100 * found.low)} to {signed(100 * found.high)}, p = {found.p:.2g}"
    if found.p < SURE:
        return f" A paired test supports the difference ({interval})."
    return f" That may be chance ({interval})."


def stage_difference(arm: Arm, split: str, first: str, last: str) -> Difference | None:
    """The last stage less the first, run by run."""
    cut = {
        name: {
            run.seed: run.result.model_copy(
                update={"stages": [s for s in run.result.stages if s.stage == name]}
            )
            for run in arm.runs
            if any(s.stage == name for s in run.result.stages)
        }
        for name in (first, last)
    }
    rows = sweep_table(cut, split, baseline=first).rows
    return rows[1].difference


def _others(baseline: Arm, differences: Mapping[str, Difference]) -> list[str]:
    if not differences:
        return []
    sure = {n: d for n, d in differences.items() if d.p is not None and d.p < SURE}
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


def _value(one: Measured) -> str:
    shown = f"{100 * one.value:.1f} %"
    if one.interval is None:
        return shown
    return f"{shown} ({100 * one.interval.low:.1f} to {100 * one.interval.high:.1f})"


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
