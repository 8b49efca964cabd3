"""A figure: a picture, its numbers as a table, and both as files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.record.folder import new_file
from harness.report.charts.axes import LIGHT
from harness.report.charts.markup import Html, element, joined

ROWS = 200
"""Rows of a figure's numbers that the page has; the file has all."""
_COLOUR = re.compile(r"var\(--(\w+),(#\w+)\)")


@dataclass(frozen=True, slots=True)
class Figure:
    """What is drawn, and the numbers that it is drawn from.

    Attributes:
        name: of its files, and its place in the page.
        title: what it shows.
        note: how to read it.
        picture: SVG, or a table.
        columns, rows: the numbers; shares, not per cent.
        wide: needs the page's whole width.
    """

    name: str
    title: str
    note: str
    picture: Html
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    wide: bool = False

    @property
    def drawn(self) -> Html:
        """The picture; of a chart with its title, for those who cannot see it."""
        if not self.picture.startswith("<svg"):
            return self.picture
        begin, end, rest = self.picture.partition(">")
        return Html(f"{begin}{end}{element('title', self.title)}{rest}")

    def _repr_svg_(self) -> str | None:
        """What a notebook draws; None of a table."""
        return standalone(self.drawn) if self.drawn.startswith("<svg") else None

    def html(self, command: str) -> Html:
        """The figure in the page; ``command`` makes its files."""
        data = element(
            "details",
            element("summary", "Data"),
            table(self.columns, self.rows[:ROWS], name=f"Data of {self.title}"),
            _more(len(self.rows)),
            element(
                "p",
                f"{self.name}.csv, .svg (and .pdf) by ",
                element("code", command),
                class_="from",
            ),
        )
        return element(
            "figure",
            element("figcaption", element("h3", self.title), element("p", self.note)),
            self.drawn,
            data,
            id=self.name,
            class_="wide" if self.wide else None,
        )

    def write(self, folder: Path) -> None:
        """``name.csv`` with all numbers; of a picture ``name.svg``, and ``name.pdf`` where
        vl-convert is installed (extra ``pdf``)."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([self.columns, *(["" if v is None else v for v in r] for r in self.rows)])
        files = {"csv": out.getvalue().encode()}
        if picture := self._repr_svg_():
            files["svg"] = picture.encode()
            with suppress(ImportError):
                files["pdf"] = _pdf(picture)
        for suffix, content in files.items():
            new_file(folder / f"{self.name}.{suffix}", partial(Path.write_bytes, data=content))


def beyond(rows: Sequence[object], shown: int, what: str) -> str:
    """A note on rows that a picture has no room for; empty if there are none."""
    left = len(rows) - shown
    return f" {left} {what} are in the data." if left > 0 else ""


def standalone(picture: Html) -> str:
    """An SVG on white, for programs that know no style of a page."""
    ground = element("rect", width="100%", height="100%", fill=LIGHT["paper"])
    begin, end, rest = _COLOUR.sub(r"\2", picture).partition(">")
    return f"{begin}{end}{ground}{rest}\n"


def table(
    columns: Sequence[object],
    rows: Sequence[Sequence[object]],
    *,
    name: str,
    kind: str | None = None,
) -> Html:
    """Rows below their headings; one that is wider than the page scrolls by itself.

    What is ``Html`` already is a whole cell; ``kind`` is a class of the page's style.
    """
    heads = (_whole(column) or element("th", str(column), scope="col") for column in columns)
    body = [element("tr", *(_whole(value) or _cell(value) for value in row)) for row in rows]
    head = element("thead", element("tr", *heads))
    whole = element("table", head, element("tbody", *body), class_=kind)
    return element("div", whole, class_="scroll", role="region", aria_label=name, tabindex=0)


def _whole(value: object) -> Html | None:
    return value if isinstance(value, Html) else None


def _cell(value: object) -> Html:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        shown: str = {True: "yes", False: "no", None: ""}.get(value, value)  # type: ignore[arg-type,assignment]
        return element("td", shown)
    return element("td", f"{value:.4g}" if isinstance(value, float) else f"{value:,}", class_="n")


def _more(count: int) -> Html:
    left = count - ROWS
    return joined(element("p", f"{left} more rows in the file.") if left > 0 else None)


def _pdf(picture: str) -> bytes:
    """An SVG as PDF; ``ImportError`` without vl-convert."""
    from vl_convert import svg_to_pdf

    return bytes(svg_to_pdf(picture))
