"""Figures over methods: stages, differences to a baseline, budgets, costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from harness.metrics import SCORE_NAMES
from harness.report.charts.figure import Figure, beyond
from harness.report.charts.markup import Html
from harness.report.charts.row_charts import Change, changes_chart
from harness.report.charts.xy_charts import Point, Series, curves_chart, stages_chart
from harness.report.differences import Difference
from harness.report.measures import price_of
from harness.report.page.arms import Arm
from harness.report.page.scores import SPLITS, Mean, Scores, Stage
from harness.report.rows.entries import Entry
from harness.report.tables import LEVEL

ACTORS = ("annotator", "student")
ALONE = (("test", ACTORS), ("pool", ACTORS))
TOGETHER = (("test", ACTORS[1:]), ("pool", ACTORS[1:]), ("pool", ACTORS[:1]))
"""Pictures of one method's stages, and of several methods': there each actor has its own."""
NAMED = 6
"""Methods with a colour of their own."""
SHOWN = 24
"""Rows of a chart."""


@dataclass(frozen=True, slots=True)
class _Spot:
    """A score of a method, and where it is drawn."""

    method: str
    stage: str
    across: float
    score: Mean
    square: bool = True


@dataclass(frozen=True)
class Overview:
    """Methods of one task, one of them the baseline; differences are from its last stage."""

    scores: Scores
    baseline: Arm

    @cached_property
    def differences(self) -> Mapping[str, Difference]:
        """Of the other methods, by name."""
        return self.scores.differences(self.baseline)

    @property
    def task(self) -> str:
        """Its name."""
        return self.baseline.first.task

    @property
    def metric(self) -> str:
        """In words."""
        return SCORE_NAMES[self.baseline.first.metric]

    @cached_property
    def figures(self) -> list[Figure]:
        """All for which these runs have the numbers."""
        panels = ALONE if len(self.scores.arms) == 1 else TOGETHER
        stages = [self._stages(split, actors) for split, actors in panels]
        made = [*stages, self._changes(), self._budget(), self._costs()]
        return [one for one in made if one is not None]

    @cached_property
    def _front(self) -> set[str]:
        """The baseline, and then the best: those that get a colour."""

        def last(arm: Arm) -> float:
            stage = self.scores.last(arm)
            found = stage and self.scores.mean(stage)
            return found.value if found else -1.0

        others = [arm for arm in self.scores.arms if arm is not self.baseline]
        best = [self.baseline, *sorted(others, key=last, reverse=True)]
        return {arm.name for arm in best[:NAMED]}

    def _stages(self, split: str, actors: Sequence[str]) -> Figure | None:
        """Scores of the stages of some actors on a split."""
        found = [one for arm in self.scores.arms for one in self._spots(arm, split, actors)]
        stages = sorted({one.stage for one in found}, key=lambda name: int(name[1:]))
        who = f"{actors[0]}’s " if len(actors) == 1 else ""
        others = len(self.scores.arms) - len(self._front)
        return self._curves(
            "-".join(["stages", split, *(actors if who else ())]),
            f"{who}{self.metric} on the {SPLITS[split]}, %",
            ("" if who else "Circles: annotator. Squares: student. ")
            + "Vertical lines: 95 % intervals."
            + (f" Grey: the other {others} methods." if others else ""),
            found,
            lambda series: stages_chart(series, stages),
            place=lambda one: stages.index(one.stage),
        )

    def _changes(self) -> Figure | None:
        differences = self.differences
        if not differences:
            return None
        rows = [
            Change(name, one.mean, one.low, one.high, one.p is not None and one.p < LEVEL)
            for name, one in differences.items()
        ]
        over = "examples and seeds" if any(d.examples for d in differences.values()) else "seeds"
        return Figure(
            "differences",
            f"Difference from “{self.baseline.name}”, points",
            f"Last stage, on the {SPLITS[self.scores.split or 'pool']}. Lines: 95 % intervals. "
            f"Coloured: a paired test over {over} finds a difference (p < {LEVEL}, Holm’s "
            "correction)." + beyond(rows, SHOWN, "more methods"),
            changes_chart(rows[:SHOWN], across="points"),
            ("method", "difference", "low", "high", "p", "seeds", "examples"),
            [(k, d.mean, d.low, d.high, d.p, d.n, d.examples) for k, d in differences.items()],
        )

    def _budget(self) -> Figure | None:
        """Scores against the labels asked for, where these are not all of the pool."""
        arms, split = self.scores.arms, self.scores.split
        if split is None or not any(one.unlabelled for arm in arms for one in arm.first.stages):
            return None
        return self._curves(
            "budget",
            f"student’s {self.metric} by labels asked for, %",
            f"On the {SPLITS[split]}. Each square is a round.",
            [one for arm in arms for one in self._spots(arm, split, ("student",))],
            lambda series: curves_chart(series, across="labels asked for"),
            unit="labels",
        )

    def _costs(self) -> Figure | None:
        """The last score against what its run cost: $, or else seconds."""
        arms, split = self.scores.arms, self.scores.split
        priced = any(_price(run) for arm in arms for run in arm.runs)
        cost_of, unit = (_price, "$ a run") if priced else (_seconds, "seconds a run")
        found = []
        for arm in arms:
            one = (stage := self.scores.last(arm)) and self.scores.mean(stage)
            cost = fmean(cost_of(run) for run in arm.runs)
            if stage and one and cost > 0:
                found.append(_Spot(arm.name, stage.name, cost, one))
        if split is None or len(found) < 2:
            return None
        log = max(one.across for one in found) > 20 * min(one.across for one in found)
        return self._curves(
            "costs",
            f"{self.metric} and cost, %",
            f"The last stage on the {SPLITS[split]}, against {unit}."
            + (" What its answers cost, whoever paid." if priced else " No answer cost money."),
            found,
            lambda series: curves_chart(series, across=unit, log=log),
            unit=unit,
        )

    def _spots(self, arm: Arm, split: str, actors: Collection[str]) -> list[_Spot]:
        """The stages of some actors that are scored, at the labels asked for until then."""
        found = []
        for name in arm.stages():
            stages = arm.at(name)
            if stages[0].actor in actors and (one := self.scores.mean(Stage(arm, name, split))):
                asked = fmean(stage.n - stage.unlabelled for stage in stages)
                found.append(_Spot(arm.name, name, asked, one, stages[0].actor == "student"))
        return found

    def _curves(
        self,
        name: str,
        title: str,
        note: str,
        spots: Sequence[_Spot],
        draw: Callable[[Sequence[Series]], Html],
        *,
        unit: str | None = None,
        place: Callable[[_Spot], float] = lambda one: one.across,
    ) -> Figure | None:
        """Scores of each method as a line, the baseline first; ``unit`` of what is across."""
        if not spots:
            return None
        title = title[:1].upper() + title[1:]
        methods = sorted(dict.fromkeys(one.method for one in spots), key=self._place)
        series = [
            Series(
                method,
                [
                    Point(place(one), one.score.value, *one.score.ends, square=one.square)
                    for one in spots
                    if one.method == method
                ],
                method in self._front,
            )
            for method in methods
        ]
        across = () if unit is None else (unit,)
        columns = ("method", "stage", *across, "score", "low", "high", "seeds")
        rows = [
            (one.method, one.stage, *([] if unit is None else [one.across]),
             one.score.value, *one.score.ends, one.score.seeds)
            for one in spots
        ]  # fmt: skip
        return Figure(name, title, note, draw(series), columns, rows)

    def _place(self, method: str) -> bool:
        return method != self.baseline.name


def _price(run: Entry) -> float:
    return sum(price_of(stage) for stage in run.stages)


def _seconds(run: Entry) -> float:
    return run.finished.seconds
