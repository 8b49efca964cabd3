"""Axes and colours of the charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from harness.report.charts.markup import Html, element, joined

WIDTH = 420.0
"""Of every chart, in its own units: a phone shows it a little smaller, a screen a little larger."""
SIZE = 12
"""Of text, in the same units."""
LETTER = 6.4
"""About the width of one."""
LINE = 15.0
"""From one line of text to the next."""
LINES = 8
"""Of a name: names that differ only at their ends are told apart."""
MINUS = "−"

COLOURS = ("blue", "orange", "green", "purple", "sky", "yellow")
"""Those that people of all kinds of sight tell apart (Okabe & Ito 2008), also by lightness."""
LIGHT = {
    "blue": "#0067a5",
    "orange": "#c4540a",
    "green": "#00785a",
    "purple": "#a3467f",
    "sky": "#4a9cc9",
    "yellow": "#a98600",
    "ink": "#1c1e21",
    "soft": "#5d636b",
    "line": "#d9dce1",
    "rest": "#b3b8bf",
    "paper": "#ffffff",
}
"""What each colour is on white; the page's style has those for a dark ground."""


def fill(colour: str) -> str:
    """A style that fills with a colour of the page."""
    return f"fill:var(--{colour},{LIGHT[colour]})"


def stroke(colour: str, width: float = 1.0, dash: str = "") -> str:
    """A style that draws with a colour of the page."""
    drawn = f"fill:none;stroke:var(--{colour},{LIGHT[colour]});stroke-width:{width}"
    return drawn + (f";stroke-dasharray:{dash}" if dash else "")


def label(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "soft") -> Html:
    """Text on a chart."""
    halo = f"paint-order:stroke;stroke:var(--paper,{LIGHT['paper']});stroke-width:3"
    return element("text", text, x=x, y=y, text_anchor=anchor, style=f"{fill(colour)};{halo}")


def line(x: float, y: float, to_x: float, to_y: float, style: str) -> Html:
    """From one place to another."""
    return element("line", x1=x, y1=y, x2=to_x, y2=to_y, style=style)


def box(x: float, y: float, width: float, height: float, colour: str) -> Html:
    """A filled rectangle."""
    return element("rect", x=x, y=y, width=width, height=height, style=fill(colour))


def sign(x: float, y: float, colour: str, *, square: bool) -> Html:
    """A value: an annotator's is a circle, a student's a square."""
    if square:
        return box(x - 4, y - 4, 8, 8, colour)
    return element("circle", cx=x, cy=y, r=4.5, style=fill(colour))


def broken(text: str, room: float) -> list[str]:
    """A text on lines that are no wider; beyond ``LINES`` it ends with an ellipsis."""
    letters = int(room / (1.1 * LETTER))  # in a wide font
    return wrap(text, letters, max_lines=LINES, placeholder="…") or [""]


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to places: ``low`` is at ``start``, ``high`` at ``end``; or their logarithms."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(
        cls,
        values: Sequence[float],
        start: float,
        end: float,
        *,
        within: tuple[float, float] | None = None,
        log: bool = False,
    ) -> Axis:
        """One that shows all values with some space, but nothing outside ``within``."""
        low, high = min(values), max(values)
        if log:
            return cls(low / 1.3, high * 1.3, start, end, log=True)
        space = 0.08 * (high - low) or 0.05 * abs(high) or 0.01
        low, high = low - space, high + space
        if within is not None:
            low, high = max(low, within[0]), min(high, within[1])
        return cls(low, high, start, end)

    def at(self, value: float) -> float:
        """The place of a value."""
        low, high, here = self.low, self.high, value
        if self.log:
            low, high, here = math.log(low), math.log(high), math.log(value)
        return self.start + (self.end - self.start) * (here - low) / (high - low)

    def ticks(self, count: int = 5) -> list[float]:
        """About so many round values."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [m * 10.0**p for p in powers for m in (1, 2, 5)]
            return [one for one in found if self.low <= one <= self.high]
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A tick: thousands by ``k``, no needless digits."""
    thousands = abs(value) >= 10_000
    shown = f"{value / 1000:g}k" if thousands else f"{round(value, 10):g}"
    return shown.replace("-", MINUS)


def signed(value: float) -> str:
    """A difference with one digit and its sign."""
    return f"{value:+.1f}".replace("-", MINUS)


def left_axis(axis: Axis, right: float, scale: float = 100.0) -> Html:
    """Lines across the chart with their values at the left; ``scale`` 100: in per cent."""
    drawn = []
    for tick in axis.ticks():
        y = axis.at(tick)
        drawn.append(line(34.0, y, right, y, stroke("line")))
        drawn.append(label(29, y + 4, number(tick * scale), anchor="end"))
    return joined(*drawn)


def bottom_axis(axis: Axis, y: float, title: str, scale: float = 1.0) -> Html:
    """Values below the chart, and what they are."""
    middle = (axis.start + axis.end) / 2
    return joined(
        *(label(axis.at(tick), y, number(tick * scale), anchor="middle") for tick in axis.ticks()),
        label(middle, y + 17, title, anchor="middle"),
    )


def chart(height: float, *drawn: Html) -> Html:
    """The picture; its figure says what it shows."""
    return element(
        "svg",
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        font_family="system-ui, sans-serif",
        font_size=SIZE,
    )
