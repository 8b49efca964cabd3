"""Charts with two axes: stages, budgets, costs, confidence, losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.charts.axes import (
    COLOURS,
    LETTER,
    LINE,
    WIDTH,
    Axis,
    bottom_axis,
    box,
    broken,
    chart,
    label,
    left_axis,
    line,
    sign,
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


def stages_chart(series: Sequence[Series], stages: Sequence[str]) -> Html:
    """Shares by stage, with intervals; a line joins the stages of a method.

    One method is coloured by who acts: annotator (circle) or student (square).
    """
    right = _right(series)
    x = Axis(-0.4, len(stages) - 0.6, LEFT, right)
    below = [label(x.at(k), BOTTOM + 20, name, anchor="middle") for k, name in enumerate(stages)]
    if len(series) > 1:
        return _lines(series, x, right, 28.0, below, aside=3.0)
    y, (one,) = _shares(series), series
    values = [
        label(x.at(p.x) + 8, y.at(p.y) + 4, f"{100 * p.y:.1f}", colour="ink") for p in one.points
    ]
    drawn = _drawn(one, x, y, "", stroke("rest", 1.5))
    return chart(BOTTOM + 28, left_axis(y, right), *below, drawn, *values)


def curves_chart(series: Sequence[Series], *, across: str, log: bool = False) -> Html:
    """Shares against a number, such as labels asked for or dollars."""
    right = _right(series)
    values = [p.x for one in series for p in one.points]
    x = Axis.around(values, LEFT + 6, right - 6, within=(0, float("inf")), log=log)
    below = [bottom_axis(x, BOTTOM + 20, across)]
    return _lines(series, x, right, 46.0, below)


def reliability_chart(points: Sequence[tuple[float, float, float]], *, square: bool) -> Html:
    """Share right against confidence, each with its share of the examples as a bar below."""
    low = min([0.5, *(min(x, y) for x, y, _ in points)]) // 0.1 / 10
    x, y = Axis(low, 1.0, LEFT + 6, RIGHT - 6), Axis(low, 1.0, BOTTOM, TOP)
    colour = "blue" if square else "orange"
    drawn = [left_axis(y, RIGHT), bottom_axis(x, BOTTOM + 20, "confidence, %", 100)]
    drawn += [box(x.at(sure) - 6, BOTTOM - 60 * n, 12, 60 * n, "rest") for sure, _, n in points]
    drawn.append(line(x.at(low), BOTTOM, x.at(1), TOP, stroke("rest")))
    drawn += [sign(x.at(sure), y.at(good), colour, square=square) for sure, good, _ in points]
    return chart(BOTTOM + 46, *drawn)


def histogram_chart(
    edges: Sequence[float], right: Sequence[int], wrong: Sequence[int], *, across: str
) -> Html:
    """Numbers of right (below) and wrong (above) examples by a value."""
    tallest = max([1, *(a + b for a, b in zip(right, wrong, strict=True))])
    x, y = Axis(edges[0], edges[-1], LEFT, RIGHT), Axis(0, tallest * 1.05, BOTTOM, TOP)
    drawn = [left_axis(y, RIGHT, 1), bottom_axis(x, BOTTOM + 20, across)]
    for begin, end, good, bad in zip(edges, edges[1:], right, wrong, strict=False):
        at, width = x.at(begin), x.at(end) - x.at(begin) - 1
        for colour, low, high in (("blue", 0, good), ("orange", good, good + bad)):
            if high > low:
                drawn.append(box(at, y.at(high), width, y.at(low) - y.at(high), colour))
    return chart(BOTTOM + 46, *drawn)


def _lines(
    series: Sequence[Series],
    x: Axis,
    right: float,
    below: float,
    axis: Sequence[Html],
    *,
    aside: float = 0.0,
) -> Html:
    """Several methods; ``aside`` is how far their intervals stand apart."""
    y, front = _shares(series), [one for one in series if one.stands_out]
    drawn = [left_axis(y, right), *axis]
    drawn += [_drawn(one, x, y, "rest", stroke("rest")) for one in series if not one.stands_out]
    for place, one in enumerate(front):
        moved = aside * (place - (len(front) - 1) / 2)
        drawn.append(_drawn(one, x, y, _colour(place), _style(place), moved))
    end = BOTTOM + below
    if right != RIGHT:
        drawn.append(_names_aside(front, y, right + 8))
    elif len(front) > 1:
        names, end = _names_below(front, end)
        drawn.append(names)
    return chart(end, *drawn)


def _drawn(one: Series, x: Axis, y: Axis, colour: str, style: str, moved: float = 0.0) -> Html:
    """A method: its line, and its points with their intervals; an empty colour: by who acts."""
    points = [(x.at(p.x) + moved, y.at(p.y), p) for p in one.points]
    path = " ".join(f"{across:.1f},{up:.1f}" for across, up, _ in points)
    drawn = [element("polyline", points=path, style=style)]
    for across, up, p in points:
        own = colour or ("blue" if p.square else "orange")
        if p.low is not None and p.high is not None and own != "rest":
            ends = y.at(max(p.low, y.low)), y.at(min(p.high, y.high))
            drawn.append(line(across, ends[0], across, ends[1], stroke(own, 1.5)))
        drawn.append(sign(across, up, own, square=p.square))
    return joined(*drawn)


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _style(place: int) -> str:
    return stroke(_colour(place), 1.5, DASHES[place % len(DASHES)])


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


def _names_aside(front: Sequence[Series], y: Axis, x: float) -> Html:
    """Names at the ends of lines, moved apart."""
    ends = sorted((y.at(one.points[-1].y) + 4, place) for place, one in enumerate(front))
    places, last = [], float("-inf")
    for here, place in ends:
        last = max(here, last + 14)
        places.append((last, place))
    over = max(0.0, last - BOTTOM)
    return joined(
        *(label(x, at - over, front[place].name, colour=_colour(place)) for at, place in places)
    )


def _names_below(front: Sequence[Series], y: float) -> tuple[Html, float]:
    """Names below each other, and where they end."""
    drawn = []
    for place, one in enumerate(front):
        at = y + 12
        drawn.append(line(0, at - 4, 24, at - 4, _style(place)))
        drawn.append(sign(12, at - 4, _colour(place), square=one.points[-1].square))
        lines = broken(one.name, WIDTH - 32)
        drawn += [label(32, at + LINE * k, text) for k, text in enumerate(lines)]
        y += 3 + LINE * len(lines)
    return joined(*drawn), y
