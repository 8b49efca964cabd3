"""Figures over methods: stages, differences to a baseline, budgets, costs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

from harness.report.page.arms import SPLITS, Arm, Measured, best_split, measured
from harness.report.page.figure import Figure
from harness.report.page.row_charts import Change, changes_chart
from harness.report.page.xy_charts import Point, Series, curves_chart, stages_chart
from harness.report.sweep_scores import Difference

ACTORS = ("annotator", "student")
ALONE = (("inductive", ACTORS), ("transductive", ACTORS))
TOGETHER = (
    *(("inductive", ("student",)), ("transductive", ("student",))),
    ("transductive", ("annotator",)),
)
"""Pictures of one method's stages, and of several methods': there each actor has its own."""
NAMED = 6
"""Methods with a colour of their own."""
SHOWN = 24
"""Rows of a chart."""
SURE = 0.05
"""Of p, from which on a difference may be chance."""
SCORES = {"accuracy": "accuracy", "entity_f1": "entity F1"}
NUMBERS = ("method", "stage", "score", "low", "high", "seeds")


def overview(
    arms: Sequence[Arm], baseline: Arm, differences: Mapping[str, Difference]
) -> list[Figure]:
    """All figures for which these runs have the numbers.

    Args:
        arms: the methods of one task.
        baseline: one of them.
        differences: of the others' last stages from its last stage, by name.
    """
    panels = ALONE if len(arms) == 1 else TOGETHER
    made = [
        *(_stages(arms, baseline, split, actors) for split, actors in panels),
        _differences(arms, baseline, differences),
        _budget(arms, baseline),
        _costs(arms, baseline),
    ]
    return [one for one in made if one is not None]


def in_front(arms: Sequence[Arm], baseline: Arm, split: str) -> list[Arm]:
    """The baseline, and then the best: those that get a colour."""

    def last(arm: Arm) -> float:
        found = [one for name in arm.stages() if (one := measured(arm, name, split))]
        return found[-1].value if found else -1.0

    others = sorted((arm for arm in arms if arm is not baseline), key=last, reverse=True)
    return [baseline, *others][: NAMED if len(arms) > NAMED else len(arms)]


def _stages(arms: Sequence[Arm], baseline: Arm, split: str, actors: Sequence[str]) -> Figure | None:
    """Scores of the stages of some actors on a split."""
    found = {arm.name: _scored(arm, split, actors) for arm in arms}
    stages = sorted({name for of in found.values() for name in of}, key=lambda name: int(name[1:]))
    if not stages:
        return None
    front = {arm.name for arm in in_front(arms, baseline, split)}
    drawn = [
        Series(name, [_point(stages.index(s), s, one) for s, one in of.items()], name in front)
        for name, of in found.items()
        if of
    ]
    drawn.sort(key=lambda one: one.name != baseline.name)
    who = f"{actors[0]}’s " if len(actors) == 1 else ""
    title = _upper(f"{who}{SCORES[baseline.first.metric]} on the {SPLITS[split]}, %")
    place = "-".join(["stages", SPLITS[split].partition(" ")[0], *actors[: 2 - len(actors)]])
    return Figure(
        place,
        title,
        ("" if who else "Circles: annotator. Squares: student. ")
        + "Vertical lines: 95 % intervals, over "
        + ("seeds." if len(baseline.runs) > 1 else "examples.")
        + _others_grey(arms, front),
        stages_chart(drawn, stages, title=f"{title}, by stage"),
        NUMBERS,
        [
            (name, stage, one.value, *_ends(one), one.seeds)
            for name, of in found.items()
            for stage, one in of.items()
        ],
    )


def _others_grey(arms: Sequence[Arm], front: Collection[str]) -> str:
    others = len(arms) - len(front)
    return f" Grey: the other {others} methods." if others else ""


def _differences(
    arms: Sequence[Arm], baseline: Arm, differences: Mapping[str, Difference]
) -> Figure | None:
    if not differences:
        return None
    split = best_split([run for arm in arms for run in arm.runs])
    rows = [
        Change(name, one.mean, one.low, one.high, one.p is not None and one.p < SURE)
        for name, one in differences.items()
    ]
    title = f"Difference from “{baseline.name}”, points"
    left = len(rows) - SHOWN
    return Figure(
        "differences",
        title,
        f"Last stage, on the {SPLITS[split or 'transductive']}. Lines: 95 % intervals. Coloured "
        f"where a paired test finds a difference (p < {SURE}, corrected by Holm)."
        + (f" {left} more methods are in the data." if left > 0 else ""),
        changes_chart(rows[:SHOWN], title=title, across="points"),
        ("method", "difference", "low", "high", "p", "seeds"),
        [(name, d.mean, d.low, d.high, d.p, d.n) for name, d in differences.items()],
    )


def _budget(arms: Sequence[Arm], baseline: Arm) -> Figure | None:
    """Scores against the labels asked for, where these are not all of the pool."""
    split = next((s for s in SPLITS if any(_scored(arm, s) for arm in arms)), None)
    partial = any(stage.unlabelled for arm in arms for stage in arm.first.stages)
    if split is None or not partial:
        return None
    front = {arm.name for arm in in_front(arms, baseline, split)}
    rows, drawn = [], []
    for arm in arms:
        points = []
        for name, one in _scored(arm, split).items():
            at = arm.at(name)
            if at[0].actor == "student":
                asked = fmean(stage.n - stage.unlabelled for stage in at)
                points.append(Point(asked, one.value, *_ends(one), square=True))
                rows.append((arm.name, name, asked, one.value, *_ends(one), one.seeds))
        if points:
            drawn.append(Series(arm.name, points, arm.name in front))
    drawn.sort(key=lambda one: one.name != baseline.name)
    title = f"Student’s {SCORES[baseline.first.metric]} by labels asked for, %"
    return Figure(
        "budget",
        title,
        f"On the {SPLITS[split]}. Each square is a round.",
        curves_chart(drawn, title=title, across="labels asked for"),
        ("method", "stage", "labels", "score", "low", "high", "seeds"),
        rows,
    )


def _costs(arms: Sequence[Arm], baseline: Arm) -> Figure | None:
    """The last score against what its run cost: $, or else seconds."""
    split = next((s for s in SPLITS if any(_scored(arm, s) for arm in arms)), None)
    if split is None:
        return None
    paid = any(run.result.cost_usd for arm in arms for run in arm.runs)
    field, unit = ("cost_usd", "$ a run") if paid else ("seconds", "seconds a run")
    rows = []
    for arm in arms:
        stages = list(_scored(arm, split).items())
        cost = fmean(float(getattr(run.result, field)) for run in arm.runs)
        if stages and cost > 0:
            name, one = stages[-1]
            rows.append((arm.name, name, cost, one.value, *_ends(one), one.seeds))
    if len(rows) < 2:
        return None
    front = {arm.name for arm in in_front(arms, baseline, split)}
    drawn = [
        Series(name, [Point(cost, score, low, high, square=True)], name in front)
        for name, _, cost, score, low, high, _ in rows
    ]
    drawn.sort(key=lambda one: one.name != baseline.name)
    costs = [row[2] for row in rows]
    title = _upper(f"{SCORES[baseline.first.metric]} and cost, %")
    return Figure(
        "costs",
        title,
        f"The last stage on the {SPLITS[split]}, against {unit}."
        + ("" if paid else " No run paid for answers."),
        curves_chart(drawn, title=title, across=unit, log=max(costs) > 20 * min(costs)),
        ("method", "stage", unit, "score", "low", "high", "seeds"),
        rows,
    )


def _scored(arm: Arm, split: str, actors: Collection[str] = ACTORS) -> dict[str, Measured]:
    names = [name for name in arm.stages() if arm.at(name)[0].actor in actors]
    found = {name: measured(arm, name, split) for name in names}
    return {name: one for name, one in found.items() if one is not None}


def _point(place: int, stage: str, one: Measured) -> Point:
    return Point(place, one.value, *_ends(one), square=int(stage[1:]) % 2 == 0 and stage != "R0")


def _ends(one: Measured) -> tuple[float | None, float | None]:
    return (None, None) if one.interval is None else (one.interval.low, one.interval.high)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
