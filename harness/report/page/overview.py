"""Figures over methods: stages, differences to a baseline, budgets, costs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

from harness.report.charts.figure import Figure
from harness.report.charts.row_charts import Change, changes_chart
from harness.report.charts.xy_charts import Point, Series, curves_chart, stages_chart
from harness.report.page.arms import SPLITS, Arm
from harness.report.page.scores import Difference, Measured, Scores, Stage

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


def overview(scores: Scores, baseline: Arm, differences: Mapping[str, Difference]) -> list[Figure]:
    """All figures for which these runs have the numbers.

    Args:
        scores: of the methods of one task.
        baseline: one of them.
        differences: of the others' last stages from its last stage, by name.
    """
    panels = ALONE if len(scores.arms) == 1 else TOGETHER
    made = [
        *(_stages(scores, baseline, split, actors) for split, actors in panels),
        _differences(scores, baseline, differences),
        _budget(scores, baseline),
        _costs(scores, baseline),
    ]
    return [one for one in made if one is not None]


def in_front(scores: Scores, baseline: Arm) -> set[str]:
    """The baseline, and then the best: those that get a colour."""

    def last(arm: Arm) -> float:
        stage = scores.last(arm)
        found = stage and scores.measured(stage)
        return found.value if found else -1.0

    others = sorted((arm for arm in scores.arms if arm is not baseline), key=last, reverse=True)
    return {arm.name for arm in [baseline, *others][:NAMED]}


def _stages(scores: Scores, baseline: Arm, split: str, actors: Sequence[str]) -> Figure | None:
    """Scores of the stages of some actors on a split."""
    found = {arm.name: _scored(scores, arm, split, actors) for arm in scores.arms}
    stages = sorted({name for of in found.values() for name in of}, key=lambda name: int(name[1:]))
    if not stages:
        return None
    front = in_front(scores, baseline)
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
        + "Vertical lines: 95 % intervals."
        + _others_grey(scores.arms, front),
        stages_chart(drawn, stages, title=f"{title}, by stage"),
        NUMBERS,
        [
            (name, stage, one.value, *one.ends, one.seeds)
            for name, of in found.items()
            for stage, one in of.items()
        ],
    )


def _others_grey(arms: Sequence[Arm], front: Collection[str]) -> str:
    others = len(arms) - len(front)
    return f" Grey: the other {others} methods." if others else ""


def _differences(
    scores: Scores, baseline: Arm, differences: Mapping[str, Difference]
) -> Figure | None:
    if not differences:
        return None
    rows = [
        Change(name, one.mean, one.low, one.high, one.p is not None and one.p < SURE)
        for name, one in differences.items()
    ]
    title = f"Difference from “{baseline.name}”, points"
    over = "examples and seeds" if any(one.examples for one in differences.values()) else "seeds"
    left = len(rows) - SHOWN
    return Figure(
        "differences",
        title,
        f"Last stage, on the {SPLITS[scores.split or 'transductive']}. Lines: 95 % intervals. "
        f"Coloured: a paired test over {over} finds a difference (p < {SURE}, Holm’s correction)."
        + (f" {left} more methods are in the data." if left > 0 else ""),
        changes_chart(rows[:SHOWN], title=title, across="points"),
        ("method", "difference", "low", "high", "p", "seeds", "examples"),
        [
            (name, d.mean, d.low, d.high, d.p, d.seeds, d.examples)
            for name, d in differences.items()
        ],
    )


def _budget(scores: Scores, baseline: Arm) -> Figure | None:
    """Scores against the labels asked for, where these are not all of the pool."""
    split = scores.split
    partial = any(stage.unlabelled for arm in scores.arms for stage in arm.first.stages)
    if split is None or not partial:
        return None
    front = in_front(scores, baseline)
    rows, drawn = [], []
    for arm in scores.arms:
        points = []
        for name, one in _scored(scores, arm, split, ("student",)).items():
            asked = fmean(stage.n - stage.unlabelled for stage in arm.at(name))
            points.append(Point(asked, one.value, *one.ends, square=True))
            rows.append((arm.name, name, asked, one.value, *one.ends, one.seeds))
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


def _costs(scores: Scores, baseline: Arm) -> Figure | None:
    """The last score against what its run cost: $, or else seconds."""
    if scores.split is None:
        return None
    paid = any(run.result.cost_usd for arm in scores.arms for run in arm.runs)
    field, unit = ("cost_usd", "$ a run") if paid else ("seconds", "seconds a run")
    rows = []
    for arm in scores.arms:
        stage = scores.last(arm)
        one = stage and scores.measured(stage)
        cost = fmean(float(getattr(run.result, field)) for run in arm.runs)
        if stage and one and cost > 0:
            rows.append((arm.name, stage.name, cost, one.value, *one.ends, one.seeds))
    if len(rows) < 2:
        return None
    front = in_front(scores, baseline)
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
        f"The last stage on the {SPLITS[scores.split]}, against {unit}."
        + ("" if paid else " No run paid for answers."),
        curves_chart(drawn, title=title, across=unit, log=max(costs) > 20 * min(costs)),
        ("method", "stage", unit, "score", "low", "high", "seeds"),
        rows,
    )


def _scored(scores: Scores, arm: Arm, split: str, actors: Collection[str]) -> dict[str, Measured]:
    names = [name for name in arm.stages() if arm.at(name)[0].actor in actors]
    found = {name: scores.measured(Stage(arm, name, split)) for name in names}
    return {name: one for name, one in found.items() if one is not None}


def _point(place: int, stage: str, one: Measured) -> Point:
    return Point(place, one.value, *one.ends, square=int(stage[1:]) % 2 == 0 and stage != "R0")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
