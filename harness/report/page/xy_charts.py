"""Charts with two axes: stages, budgets, costs, confidence, losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.page.axes import (
    COLOURS,
    LETTER,
    WIDTH,
    Axis,
    bottom_axis,
    chart,
    cut,
    fill,
    label,
    left_axis,
    stroke,
)
from harness.report.page.markup import Html, element, joined

LEFT, TOP, HEIGHT = 44.0, 14.0, 190.0
BOTTOM = TOP + HEIGHT
DASHES = ("", "6 3", "2 3", "9 3 2 3", "4 2", "1 2")
SHARES = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Point:
    """A value with its interval, if it has one; ``square`` marks a student's."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    square: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Points in order; one that does not stand out is drawn in grey."""

    name: str
    points: Sequence[Point]
    stands_out: bool = True


def stages_chart(series: Sequence[Series], stages: Sequence[str], *, title: str) -> Html:
    """Shares by stage, with intervals; a line joins the stages of a method.

    One method is coloured by who acts: annotator (circle) or student (square).
    """
    y = _shares(series)
    alone = len(series) == 1
    right = WIDTH - 16 if alone else WIDTH - 120
    x = Axis(-0.4, len(stages) - 0.6, LEFT, right)
    drawn = [left_axis(y, right, 100)]
    drawn += [label(x.at(k), BOTTOM + 20, name, anchor="middle") for k, name in enumerate(stages)]
    for place, one in _ordered(series):
        points = [(x.at(p.x) + (0 if alone else _aside(place)), p) for p in one.points]
        drawn.append(_line(points, y, place, one, quiet=alone))
        drawn += [_mark(at, p, y, _colour(place, one, p, alone=alone)) for at, p in points]
    if alone:
        drawn += [_written(x.at(p.x), p, y) for p in series[0].points]
    else:
        drawn.append(_names(series, y, right + 8))
    return chart(BOTTOM + 32, *drawn, title=title)


def curves_chart(series: Sequence[Series], *, title: str, across: str, log: bool = False) -> Html:
    """Shares against a number, such as labels asked for or dollars."""
    y = _shares(series)
    right = WIDTH - 120 if len(series) > 1 else WIDTH - 20
    values = [p.x for one in series for p in one.points]
    x = Axis.around(values, LEFT + 6, right - 6, within=(0, float("inf")), log=log)
    drawn = [left_axis(y, right, 100), bottom_axis(x, BOTTOM + 20, across)]
    for place, one in _ordered(series):
        points = [(x.at(p.x), p) for p in one.points]
        drawn.append(_line(points, y, place, one))
        drawn += [_mark(at, p, y, _colour(place, one, p)) for at, p in points]
    drawn.append(_names(series, y, right + 8) if len(series) > 1 else Html(""))
    return chart(BOTTOM + 44, *drawn, title=title)


def reliability_chart(
    points: Sequence[tuple[float, float, float]], *, title: str, square: bool
) -> Html:
    """Share right against confidence, each with its share of the examples as a bar below."""
    low = min([0.5, *(min(x, y) for x, y, _ in points)]) // 0.1 / 10
    x, y = Axis(low, 1.0, LEFT + 6, WIDTH - 20), Axis(low, 1.0, BOTTOM, TOP)
    diagonal = element("line", x1=x.at(low), y1=BOTTOM, x2=x.at(1), y2=TOP, style=stroke("rest"))
    bars = [
        element(
            "rect",
            x=x.at(sure) - 6,
            y=BOTTOM - 60 * share,
            width=12,
            height=60 * share,
            style=fill("rest", 0.45),
        )
        for sure, _, share in points
    ]
    colour = "blue" if square else "orange"
    marks = [_mark(x.at(sure), Point(sure, right, square=square), y, colour)
             for sure, right, _ in points]  # fmt: skip
    axes = left_axis(y, WIDTH - 20, 100), bottom_axis(x, BOTTOM + 20, "confidence, %", 100)
    return chart(BOTTOM + 44, *axes, *bars, diagonal, *marks, title=title)


def histogram_chart(
    edges: Sequence[float], right: Sequence[int], wrong: Sequence[int], *, title: str, across: str
) -> Html:
    """Numbers of right (below) and wrong (above) examples by a value."""
    tallest = max([1, *(a + b for a, b in zip(right, wrong, strict=True))])
    x, y = Axis(edges[0], edges[-1], LEFT, WIDTH - 16), Axis(0, tallest * 1.05, BOTTOM, TOP)
    drawn = [left_axis(y, WIDTH - 16), bottom_axis(x, BOTTOM + 20, across)]
    for begin, end, good, bad in zip(edges, edges[1:], right, wrong, strict=False):
        for colour, low, high in (("blue", 0, good), ("orange", good, good + bad)):
            if high > low:
                size = {"width": x.at(end) - x.at(begin) - 1, "height": y.at(low) - y.at(high)}
                drawn.append(
                    element("rect", x=x.at(begin), y=y.at(high), **size, style=fill(colour))
                )
    return chart(BOTTOM + 44, *drawn, title=title)


def _shares(series: Sequence[Series]) -> Axis:
    every = [p for one in series for p in one.points]
    bounds = [v for p in every for v in (p.y, p.low, p.high) if v is not None]
    return Axis.around(bounds, BOTTOM, TOP, within=SHARES)


def _ordered(series: Sequence[Series]) -> list[tuple[int, Series]]:
    """With the colour's place; grey ones first, so that they lie below."""
    places = iter(range(len(series)))
    placed = [(next(places) if one.stands_out else -1, one) for one in series]
    return sorted(placed, key=lambda pair: pair[0])


def _aside(place: int) -> float:
    """Intervals of several methods stand next to each other."""
    return 0.0 if place < 0 else (place - 2) * 3.0


def _colour(place: int, one: Series, point: Point, *, alone: bool = False) -> str:
    if alone:
        return "blue" if point.square else "orange"
    return COLOURS[place % len(COLOURS)] if one.stands_out else "rest"


def _line(
    points: Sequence[tuple[float, Point]], y: Axis, place: int, one: Series, *, quiet: bool = False
) -> Html:
    grey = quiet or not one.stands_out
    style = stroke("rest" if grey else COLOURS[place % len(COLOURS)], 1.5,
                   "" if grey else DASHES[place % len(DASHES)])  # fmt: skip
    path = " ".join(f"{at:.1f},{y.at(p.y):.1f}" for at, p in points)
    return element("polyline", points=path, style=style)


def _mark(at: float, point: Point, y: Axis, colour: str) -> Html:
    whisker, here = None, y.at(point.y)
    if point.low is not None and point.high is not None and colour != "rest":
        ends = {"y1": y.at(point.low), "y2": y.at(point.high)}
        whisker = element("line", x1=at, x2=at, **ends, style=stroke(colour, 1.5))
    if point.square:
        mark = element("rect", x=at - 4, y=here - 4, width=8, height=8, style=fill(colour))
    else:
        mark = element("circle", cx=at, cy=here, r=2.5 if colour == "rest" else 4.5,
                       style=fill(colour))  # fmt: skip
    return joined(whisker, mark)


def _written(at: float, point: Point, y: Axis) -> Html:
    return label(at + 8, y.at(point.y) + 4, f"{100 * point.y:.1f}", colour="ink")


def _names(series: Sequence[Series], y: Axis, x: float) -> Html:
    """Names at the ends of lines, moved apart."""
    ends = [
        (y.at(one.points[-1].y) + 4, place, one.name) for place, one in _ordered(series)
        if one.stands_out
    ]  # fmt: skip
    drawn, last = [], float("-inf")
    for here, place, name in sorted(ends):
        last = max(here, last + 14)
        drawn.append((last, place, name))
    over = max(0.0, last - BOTTOM)
    letters = int((WIDTH - x) / LETTER)
    return joined(
        *(
            label(x, at - over, cut(name, letters), colour=COLOURS[place % len(COLOURS)])
            for at, place, name in drawn
        )  # fmt: skip
    )
