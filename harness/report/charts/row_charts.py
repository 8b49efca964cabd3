"""Charts with a row for each name: differences, scores of labels, parts of a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.report.charts.axes import (
    LETTER,
    WIDTH,
    Axis,
    bottom_axis,
    chart,
    cut,
    fill,
    label,
    signed,
    stroke,
)
from harness.report.charts.markup import Html, element, joined

ROW = 36.0
"""A name, and below it what is drawn of it: long names need no column of their own."""
LEFT, RIGHT = 10.0, WIDTH - 14


@dataclass(frozen=True, slots=True)
class Change:
    """A difference with its interval; ``sure``: a test supports it."""

    name: str
    mean: float
    low: float | None
    high: float | None
    sure: bool


def changes_chart(rows: Sequence[Change], *, title: str, across: str) -> Html:
    """Bars from zero, with intervals; those that a test supports are full."""
    bounds = [v for one in rows for v in (one.mean, one.low, one.high, 0.0) if v is not None]
    x = Axis.around(bounds, LEFT, RIGHT)
    bottom = 6 + ROW * len(rows)
    drawn = [element("line", x1=x.at(0), x2=x.at(0), y1=2, y2=bottom, style=stroke("soft"))]
    for place, one in enumerate(rows):
        drawn.append(_name(place, one.name, signed(100 * one.mean)))
        drawn.append(_change(6 + ROW * place + 24, one, x))
    drawn.append(bottom_axis(x, bottom + 14, across, 100))
    return chart(bottom + 40, *drawn, title=title)


def _change(y: float, one: Change, x: Axis) -> Html:
    colour = ("blue" if one.mean > 0 else "orange") if one.sure else "rest"
    begin, end = sorted((x.at(0), x.at(one.mean)))
    bar = element("rect", x=begin, y=y - 5, width=end - begin, height=10, style=fill(colour))
    if one.low is None or one.high is None:
        return bar
    ends = {"x1": x.at(one.low), "x2": x.at(one.high)}
    return joined(bar, element("line", **ends, y1=y, y2=y, style=stroke("ink", 1.5)))


def pairs_chart(
    rows: Sequence[tuple[str, str, float | None, float | None]], *, title: str, across: str
) -> Html:
    """Two shares of each name: a circle (annotator) and a square (student).

    Args:
        rows: name, remark, and the two values.
        title, across: what is shown.
    """
    values = [v for _, _, *both in rows for v in both if v is not None]
    x = Axis.around(values, LEFT, RIGHT, within=(0.0, 1.0))
    bottom = 6 + ROW * len(rows)
    drawn = []
    for place, (name, remark, first, second) in enumerate(rows):
        y = 6 + ROW * place + 24
        drawn.append(_name(place, name, remark))
        drawn.append(element("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, style=stroke("line")))
        if first is not None and second is not None:
            ends = {"x1": x.at(first), "x2": x.at(second)}
            drawn.append(element("line", **ends, y1=y, y2=y, style=stroke("rest", 3)))
        if first is not None:
            drawn.append(element("circle", cx=x.at(first), cy=y, r=4.5, style=fill("orange")))
        if second is not None:
            square = {"x": x.at(second) - 4, "y": y - 4, "width": 8, "height": 8}
            drawn.append(element("rect", **square, style=fill("blue")))
    drawn.append(bottom_axis(x, bottom + 14, across, 100))
    return chart(bottom + 40, *drawn, title=title)


def parts_chart(
    rows: Sequence[tuple[str, Mapping[str, int]]], parts: Mapping[str, str], *, title: str
) -> Html:
    """Numbers of each name, side by side in one bar.

    Args:
        rows: name, and the number of each part.
        parts: their colours, in the order of the bar.
        title: what is shown.
    """
    widest = max([1, *(sum(of.values()) for _, of in rows)])
    x = Axis(0, widest, LEFT, RIGHT)
    drawn = []
    for place, (name, of) in enumerate(rows):
        drawn.append(_name(place, name, f"{sum(of.values()):,}"))
        done, y = 0, 6 + ROW * place + 16
        for part, colour in parts.items():
            if count := of.get(part, 0):
                begin, end = x.at(done), x.at(done + count)
                size = {"width": max(end - begin - 1, 0.5), "height": 14}
                drawn.append(element("rect", x=begin, y=y, **size, style=fill(colour)))
                drawn.append(_count(count, begin, end, y + 11, colour))
            done += count
    bottom = 6 + ROW * len(rows)
    if len(parts) == 1:
        return chart(bottom + 4, *drawn, title=title)
    return chart(bottom + 24, *drawn, _key(parts, bottom + 12), title=title)


def _count(count: int, begin: float, end: float, y: float, colour: str) -> Html:
    text = f"{count:,}"
    if end - begin < LETTER * len(text) + 6:
        return Html("")
    on = "ink" if colour == "rest" else "paper"
    return element("text", text, x=begin + 4, y=y, style=fill(on))


def _key(parts: Mapping[str, str], y: float) -> Html:
    x, drawn = LEFT, []
    for part, colour in parts.items():
        drawn.append(element("rect", x=x, y=y - 9, width=10, height=10, style=fill(colour)))
        drawn.append(label(x + 14, y, part))
        x += 28 + 1.05 * LETTER * len(part)
    return joined(*drawn)


def _name(place: int, name: str, remark: str) -> Html:
    y, letters = 6 + ROW * place + 11, int((RIGHT - LEFT) / LETTER) - len(remark) - 3
    return joined(
        label(LEFT, y, cut(name, letters), colour="ink"), label(RIGHT, y, remark, anchor="end")
    )
