"""The page: one file, which asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files

from harness.report.charts.figure import Figure, table
from harness.report.charts.markup import Html, element
from harness.report.measures import measure, price_of
from harness.report.page.claims import claims
from harness.report.page.example_rows import examples_section
from harness.report.page.inside import Inside
from harness.report.page.label_figures import label_figures
from harness.report.page.overview import Overview
from harness.report.page.round_figures import round_figures
from harness.report.rows.entries import Entry
from harness.report.rows.notes import marks_of
from harness.results import RunResult

MARK = "freeal-harness report"
"""Names the program in a page, so that only such a page is written over."""
COMMANDS, OPEN = 60, 3
"""Commands that the page has, and that are seen at once."""
RUNS = 400
"""Rows of the list of runs."""


@dataclass(frozen=True)
class Report:
    """What a page is made of.

    Attributes:
        parts: the methods of each task.
        inside: the run that is shown example by example; None where none can be.
        note: on that run: which it is, or why there is none.
        command: makes the page again.
        commands: make the first run of each method again.
    """

    parts: Sequence[Overview]
    inside: Inside | None
    note: str
    command: str
    commands: Sequence[str]

    @cached_property
    def inner(self) -> list[Figure]:
        """The figures of the run that is shown."""
        inside = self.inside
        return [] if inside is None else [*label_figures(inside), *round_figures(inside)]

    @cached_property
    def outer(self) -> list[Figure]:
        """The figures of methods, under names that differ."""
        if len(self.parts) == 1:
            return self.parts[0].figures
        return [
            replace(one, name=f"{part.task}-{one.name}", title=f"{part.task}: {one.title}")
            for part in self.parts
            for one in part.figures
        ]

    @property
    def runs(self) -> list[tuple[str, Entry]]:
        """All runs, each with its method's name."""
        return [
            (arm.name, run) for part in self.parts for arm in part.scores.arms for run in arm.runs
        ]


def page(report: Report) -> str:
    """The whole file."""
    room = files("harness.report.page")
    style, script = (room.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    names = ", ".join(part.task for part in report.parts)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="generator", content=MARK),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("title", f"{names}: report"),
        element("style", Html(style)),
    )
    body = element("body", *_body(report, names), element("script", Html(script)))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _policy(script: str) -> str:
    """Nothing is fetched, and only the page's own script runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _body(report: Report, names: str) -> Iterator[Html]:
    lead = [line for part in report.parts for line in claims(part)]
    yield element("a", "To the results", href="#main", class_="skip")
    yield element(
        "header",
        element("h1", names),
        element("div", *(element("p", line) for line in lead), class_="lead"),
        element("nav", element("ul", *_contents(report)), aria_label="Contents"),
    )
    yield element("main", *_main(report), id="main")


def _contents(report: Report) -> list[Html]:
    named = [("methods", "Results")]
    named += [("inside", "One run"), ("example-table", "Examples")] if report.inside else []
    named += [("runs", "Runs and commands")]
    return [element("li", element("a", name, href=f"#{place}")) for place, name in named]


def _main(report: Report) -> Iterator[Html]:
    yield _section("methods", "Results", _grid(report.outer, report.command))
    inside, note = report.inside, element("p", report.note)
    if inside is None:
        yield _section(None, "One run", note)
    else:
        title = f"One run: {inside.run.result.run_id}"
        yield _section("inside", title, note, _grid(report.inner, report.command))
        yield examples_section(inside)
    yield _provenance(report)


def _section(place: str | None, title: str, *children: Html | None) -> Html:
    return element("section", element("h2", title), *children, id=place)


def _grid(figures: Sequence[Figure], command: str) -> Html:
    return element("div", *(one.html(command) for one in figures), class_="figures")


# --- where it comes from -----------------------------------------------------------------


def _provenance(report: Report) -> Html:
    of_test = measure("test")
    rows = [
        (
            method,
            run.seed,
            run.finished.run_id,
            ", ".join(marks_of([run], of_test)),
            sum(price_of(stage) for stage in run.stages),
            float(run.finished.cost_usd),
            round(run.finished.seconds, 1),
        )
        for method, run in report.runs
    ]
    again, left = report.commands, len(rows) - RUNS
    columns = ("method", "seed", "run", "marks", "$ answers", "$ paid", "seconds")
    return _section(
        "runs",
        "Runs and commands",
        element(
            "p", "This page again; --figures DIR also writes each figure as .csv, .svg and .pdf:"
        ),
        element("pre", element("code", report.command)),
        element(
            "details",
            element("summary", f"Commands of the first run of each method ({len(again)})"),
            *(element("pre", element("code", one)) for one in again[:COMMANDS]),
            open=len(again) <= OPEN,
        ),
        table(columns, rows[:RUNS], name="Runs"),
        element("p", f"{left} more runs.") if left > 0 else None,
        element("h3", "Programs and data"),
        table(("", "values"), _sources(report.runs), name="Programs and data"),
    )


def _sources(runs: Sequence[tuple[str, Entry]]) -> list[tuple[str, str]]:
    """What the runs were made with; where they differ, each value with the number of runs."""
    found: dict[str, Counter[str]] = {}
    for _, run in runs:
        for key, value in _provenance_of(run.finished):
            found.setdefault(key, Counter())[value] += 1
    return [
        (key, "; ".join(v if len(of) == 1 else f"{v} ({n} runs)" for v, n in of.items()))
        for key, of in found.items()
    ]


def _provenance_of(run: RunResult) -> Iterator[tuple[str, str]]:
    kept = run.provenance
    for key in ("harness", "git", "python", "platform"):
        if kept.get(key):
            yield key, str(kept[key])
    for name, version in sorted(kept.get("packages", {}).items()):
        if version:
            yield name, str(version)
    for name, digest in sorted(kept.get("identities", {}).items()):
        yield f"hash: {name}", str(digest)
    sizes = kept.get("data", {}).get("sizes", {})
    yield "examples", ", ".join(f"{name} {n:,}" for name, n in sizes.items())
