"""Charts with a row for each name: differences, scores of labels, parts of a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from harness.report.charts.axes import (
    LETTER,
    LINE,
    WIDTH,
    Axis,
    bottom_axis,
    box,
    broken,
    chart,
    fill,
    label,
    line,
    sign,
    signed,
    stroke,
)
from harness.report.charts.markup import Html, element, joined

ROW = 36.0
"""A name, and below it what is drawn of it: long names need no column of their own."""
LEFT, RIGHT = 10.0, WIDTH - 14
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """A difference with its interval; ``sure``: a test supports it."""

    name: str
    mean: float
    low: float | None
    high: float | None
    sure: bool


def changes_chart(rows: Sequence[Change], *, across: str) -> Html:
    """Bars from zero, with intervals; those that a test supports are full."""
    bounds = [v for one in rows for v in (one.mean, one.low, one.high, 0.0) if v is not None]
    x = Axis.around(bounds, LEFT, RIGHT)

    def drawn(one: Change, y: float) -> Html:
        colour = ("blue" if one.mean > 0 else "orange") if one.sure else "rest"
        begin, end = sorted((x.at(0), x.at(one.mean)))
        zero = line(x.at(0), y - 9, x.at(0), y + 9, stroke("soft"))
        bar = joined(zero, box(begin, y - 5, end - begin, 10, colour))
        if one.low is None or one.high is None:
            return bar
        return joined(bar, line(x.at(one.low), y, x.at(one.high), y, stroke("ink", 1.5)))

    bars, bottom = _rows(rows, [(one.name, signed(100 * one.mean)) for one in rows], drawn)
    return chart(bottom + 40, bars, bottom_axis(x, bottom + 14, across, 100))


Pair: TypeAlias = tuple[str, str, float | None, float | None]
"""Name, remark, and a share of the annotator and of the student."""


def pairs_chart(rows: Sequence[Pair], *, across: str) -> Html:
    """Two shares of each name: a circle (annotator) and a square (student)."""
    values = [v for _, _, *both in rows for v in both if v is not None]
    x = Axis.around(values, LEFT, RIGHT, within=(0.0, 1.0))

    def drawn(row: Pair, y: float) -> Html:
        first, second = (None if v is None else x.at(v) for v in row[2:])
        return joined(
            line(LEFT, y, RIGHT, y, stroke("line")),
            line(first, y, second, y, stroke("rest", 3)) if first and second else None,
            sign(first, y, "orange", square=False) if first else None,
            sign(second, y, "blue", square=True) if second else None,
        )

    pairs, bottom = _rows(rows, [row[:2] for row in rows], drawn)
    return chart(bottom + 40, pairs, bottom_axis(x, bottom + 14, across, 100))


Parts: TypeAlias = tuple[str, Mapping[str, int]]
"""Name, and the number of each part."""


def parts_chart(rows: Sequence[Parts], parts: Mapping[str, str]) -> Html:
    """Numbers of each name, side by side in one bar; ``parts`` have their colours, in order."""
    x = Axis(0, max([1, *(sum(of.values()) for _, of in rows)]), LEFT, RIGHT)

    def drawn(row: Parts, y: float) -> Html:
        done, bars = 0, []
        for part, colour in parts.items():
            if count := row[1].get(part, 0):
                begin, end = x.at(done), x.at(done + count)
                bars.append(box(begin, y - 8, max(end - begin - 1, 0.5), 14, colour))
                if end - begin >= LETTER * len(f"{count:,}") + 6:
                    on = fill("ink" if colour == "rest" else "paper")
                    bars.append(element("text", f"{count:,}", x=begin + 4, y=y + 3, style=on))
            done += count
        return joined(*bars)

    named = [(name, f"{sum(of.values()):,}") for name, of in rows]
    bars, bottom = _rows(rows, named, drawn)
    if len(parts) == 1:
        return chart(bottom + 4, bars)
    return chart(bottom + 8 + LINE * ((len(parts) + 1) // 2), bars, _key(parts, bottom + 12))


def _key(parts: Mapping[str, str], top: float) -> Html:
    """The parts' colours, two on a line."""
    drawn = []
    for place, (part, colour) in enumerate(parts.items()):
        x, y = LEFT + WIDTH / 2 * (place % 2), top + LINE * (place // 2)
        drawn += [box(x, y - 9, 10, 10, colour), label(x + 14, y, part)]
    return joined(*drawn)


def _rows(
    rows: Iterable[T], named: Iterable[tuple[str, str]], draw: Callable[[T, float], Html]
) -> tuple[Html, float]:
    """Of each row its name and a remark, and below what is drawn of it at that height; the end."""
    drawn, y = [], 6.0
    for row, (name, remark) in zip(rows, named, strict=True):
        lines = broken(name, RIGHT - LEFT - LETTER * (len(remark) + 3))
        drawn.append(label(RIGHT, y + 11, remark, anchor="end"))
        drawn += [label(LEFT, y + 11 + LINE * k, one, colour="ink") for k, one in enumerate(lines)]
        y += LINE * (len(lines) - 1)
        drawn.append(draw(row, y + 24))
        y += ROW
    return joined(*drawn), y
