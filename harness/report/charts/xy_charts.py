"""Charts with two axes: stages, budgets, costs, confidence, losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.charts.axes import (
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
from harness.report.charts.markup import Html, element, joined

LEFT, RIGHT, TOP, HEIGHT = 44.0, WIDTH - 16, 14.0, 190.0
BOTTOM = TOP + HEIGHT
SHORT = 15
"""Letters of names that stand at the ends of their lines; longer ones stand below the chart."""
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
    right = _right(series)
    x = Axis(-0.4, len(stages) - 0.6, LEFT, right)
    below = [label(x.at(k), BOTTOM + 20, name, anchor="middle") for k, name in enumerate(stages)]
    if len(series) > 1:
        return _lines(series, x, right, 28.0, below, title=title, aside=3.0)
    y = _shares(series)
    (one,) = series
    points = [(x.at(p.x), p) for p in one.points]
    drawn = [left_axis(y, right), *below, _line(points, y, stroke("rest", 1.5))]
    drawn += [_mark(at, p, y, "blue" if p.square else "orange") for at, p in points]
    drawn += [label(at + 8, y.at(p.y) + 4, f"{100 * p.y:.1f}", colour="ink") for at, p in points]
    return chart(BOTTOM + 28, *drawn, title=title)


def curves_chart(series: Sequence[Series], *, title: str, across: str, log: bool = False) -> Html:
    """Shares against a number, such as labels asked for or dollars."""
    right = _right(series)
    values = [p.x for one in series for p in one.points]
    x = Axis.around(values, LEFT + 6, right - 6, within=(0, float("inf")), log=log)
    below = [bottom_axis(x, BOTTOM + 20, across)]
    return _lines(series, x, right, 46.0, below, title=title)


def reliability_chart(
    points: Sequence[tuple[float, float, float]], *, title: str, square: bool
) -> Html:
    """Share right against confidence, each with its share of the examples as a bar below."""
    low = min([0.5, *(min(x, y) for x, y, _ in points)]) // 0.1 / 10
    x, y = Axis(low, 1.0, LEFT + 6, RIGHT - 6), Axis(low, 1.0, BOTTOM, TOP)
    diagonal = element("line", x1=x.at(low), y1=BOTTOM, x2=x.at(1), y2=TOP, style=stroke("rest"))
    bars = [
        _bar(x.at(sure) - 6, 12.0, BOTTOM - 60 * share, BOTTOM, "rest") for sure, _, share in points
    ]
    marks = [
        _mark(x.at(sure), Point(sure, right, square=square), y, "blue" if square else "orange")
        for sure, right, _ in points
    ]
    axes = left_axis(y, RIGHT), bottom_axis(x, BOTTOM + 20, "confidence, %", 100)
    return chart(BOTTOM + 46, *axes, *bars, diagonal, *marks, title=title)


def histogram_chart(
    edges: Sequence[float], right: Sequence[int], wrong: Sequence[int], *, title: str, across: str
) -> Html:
    """Numbers of right (below) and wrong (above) examples by a value."""
    tallest = max([1, *(a + b for a, b in zip(right, wrong, strict=True))])
    x, y = Axis(edges[0], edges[-1], LEFT, RIGHT), Axis(0, tallest * 1.05, BOTTOM, TOP)
    drawn = [left_axis(y, RIGHT, 1), bottom_axis(x, BOTTOM + 20, across)]
    for begin, end, good, bad in zip(edges, edges[1:], right, wrong, strict=False):
        for colour, low, high in (("blue", 0, good), ("orange", good, good + bad)):
            width = x.at(end) - x.at(begin) - 1
            if high > low:
                drawn.append(_bar(x.at(begin), width, y.at(high), y.at(low), colour))
    return chart(BOTTOM + 46, *drawn, title=title)


def _lines(
    series: Sequence[Series],
    x: Axis,
    right: float,
    below: float,
    axis: Sequence[Html],
    *,
    title: str,
    aside: float = 0.0,
) -> Html:
    """Several methods; ``aside`` is how far their intervals stand apart."""
    y = _shares(series)
    drawn, front = [left_axis(y, right), *axis], [one for one in series if one.stands_out]
    for one in (one for one in series if not one.stands_out):
        points = [(x.at(p.x), p) for p in one.points]
        drawn.append(_line(points, y, stroke("rest")))
        drawn += [_mark(at, p, y, "rest") for at, p in points]
    for place, one in enumerate(front):
        moved = aside * (place - (len(front) - 1) / 2)
        points = [(x.at(p.x) + moved, p) for p in one.points]
        colour = COLOURS[place % len(COLOURS)]
        drawn.append(_line(points, y, stroke(colour, 1.5, DASHES[place % len(DASHES)])))
        drawn += [_mark(at, p, y, colour) for at, p in points]
    if right == RIGHT:
        drawn.append(_names_below(front, BOTTOM + below + 12))
        below += 18.0 * (len(front) > 1) * len(front)
    else:
        drawn.append(_names_aside(front, y, right + 8))
    return chart(BOTTOM + below, *drawn, title=title)


def _right(series: Sequence[Series]) -> float:
    """Where the chart ends: short names stand behind it."""
    longest = max(len(one.name) for one in series if one.stands_out)
    return RIGHT if len(series) == 1 or longest > SHORT else RIGHT - LETTER * longest - 2


def _shares(series: Sequence[Series]) -> Axis:
    """Of all points; intervals that are far wider than the points are apart do not fit."""
    every = [p for one in series for p in one.points]
    values = [p.y for p in every]
    reach = max(0.1, max(values) - min(values))
    low, high = min(values) - reach, max(values) + reach
    bounds = [v for p in every for v in (p.low, p.high) if v is not None and low <= v <= high]
    return Axis.around([*values, *bounds], BOTTOM, TOP, within=SHARES)


def _line(points: Sequence[tuple[float, Point]], y: Axis, style: str) -> Html:
    path = " ".join(f"{at:.1f},{y.at(p.y):.1f}" for at, p in points)
    return element("polyline", points=path, style=style)


def _bar(x: float, width: float, top: float, bottom: float, colour: str) -> Html:
    return element("rect", x=x, y=top, width=width, height=bottom - top, style=fill(colour))


def _mark(at: float, point: Point, y: Axis, colour: str) -> Html:
    whisker, here = None, y.at(point.y)
    if point.low is not None and point.high is not None and colour != "rest":
        ends = {"y1": y.at(max(point.low, y.low)), "y2": y.at(min(point.high, y.high))}
        whisker = element("line", x1=at, x2=at, **ends, style=stroke(colour, 1.5))
    return joined(whisker, _sign(at, here, colour, square=point.square))


def _sign(x: float, y: float, colour: str, *, square: bool) -> Html:
    if square:
        return element("rect", x=x - 4, y=y - 4, width=8, height=8, style=fill(colour))
    return element("circle", cx=x, cy=y, r=4.5, style=fill(colour))


def _names_aside(front: Sequence[Series], y: Axis, x: float) -> Html:
    """Names at the ends of lines, moved apart."""
    ends = sorted((y.at(one.points[-1].y) + 4, place) for place, one in enumerate(front))
    places, last = [], float("-inf")
    for here, place in ends:
        last = max(here, last + 14)
        places.append((last, place))
    over = max(0.0, last - BOTTOM)
    return joined(
        *(label(x, at - over, front[k].name, colour=COLOURS[k % len(COLOURS)]) for at, k in places)
    )


def _names_below(front: Sequence[Series], y: float) -> Html:
    drawn = []
    for place, one in enumerate(front):
        at, colour = y + 18 * place, COLOURS[place % len(COLOURS)]
        style = stroke(colour, 1.5, DASHES[place % len(DASHES)])
        drawn.append(element("line", x1=LEFT, x2=LEFT + 24, y1=at - 4, y2=at - 4, style=style))
        drawn.append(_sign(LEFT + 12, at - 4, colour, square=one.points[-1].square))
        drawn.append(label(LEFT + 32, at, cut(one.name, int((RIGHT - LEFT - 32) / LETTER))))
    return joined(*drawn) if len(front) > 1 else Html("")
