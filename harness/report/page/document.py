"""The page: one file, which asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files

from harness.report.charts.figure import Figure, table
from harness.report.charts.markup import Html, element
from harness.report.page.arms import Arm, Kept
from harness.report.page.claims import claims
from harness.report.page.example_rows import examples_section
from harness.report.page.inside import Inside
from harness.report.page.label_figures import label_figures
from harness.report.page.overview import overview
from harness.report.page.round_figures import round_figures
from harness.report.page.scores import Difference, Scores

MARK = "freeal-harness report"
"""Names the program in a page, so that only such a page is written over."""
COMMANDS, OPEN = 60, 3
"""Commands that the page has, and that are seen at once."""
RUNS = 400
"""Rows of the list of runs."""


@dataclass(frozen=True)
class TaskPart:
    """What the page says of one task: its methods, and the one that others are compared with."""

    name: str
    arms: Sequence[Arm]
    baseline: Arm

    @cached_property
    def claims(self) -> list[str]:
        """The summary."""
        return claims(self._scores, self.baseline, self._differences)

    @cached_property
    def figures(self) -> list[Figure]:
        """Of its methods."""
        return overview(self._scores, self.baseline, self._differences)

    @cached_property
    def _scores(self) -> Scores:
        return Scores(self.arms)

    @cached_property
    def _differences(self) -> Mapping[str, Difference]:
        return self._scores.differences(self.baseline)


@dataclass(frozen=True)
class Report:
    """What a page is made of.

    Attributes:
        parts: one a task.
        inside: the run that is shown example by example; None where none can be.
        note: on that run: which it is, or why there is none.
        command: makes the page again.
        commands: make the first run of each method again, by run id.
        outdated: ids of runs that were made by other code than today's.
    """

    parts: Sequence[TaskPart]
    inside: Inside | None
    note: str
    command: str
    commands: Mapping[str, str]
    outdated: Collection[str]

    @cached_property
    def inner(self) -> list[Figure]:
        """The figures of the run that is shown."""
        inside = self.inside
        return [] if inside is None else [*label_figures(inside), *round_figures(inside)]

    def figures(self) -> Iterator[Figure]:
        """All of them, under names that differ."""
        for part in self.parts:
            for one in part.figures:
                yield one if len(self.parts) == 1 else _of_task(one, part.name)
        yield from self.inner

    @property
    def runs(self) -> list[Kept]:
        """All runs."""
        return [run for part in self.parts for arm in part.arms for run in arm.runs]


def page(report: Report) -> str:
    """The whole file."""
    room = files("harness.report.page")
    style, script = (room.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    names = ", ".join(part.name for part in report.parts)
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
    figures = [*report.figures()]
    lead = [line for part in report.parts for line in part.claims]
    yield element("a", "To the results", href="#main", class_="skip")
    yield element(
        "header",
        element("h1", names),
        element("div", *(element("p", line) for line in lead), class_="lead"),
        element("nav", element("ul", *_contents(report)), aria_label="Contents"),
    )
    shown = len(figures) - len(report.inner)
    yield element("main", *_main(report, figures[:shown]), id="main")


def _contents(report: Report) -> list[Html]:
    named = [("methods", "Results")]
    named += [("inside", "One run"), ("example-table", "Examples")] if report.inside else []
    named += [("runs", "Runs and commands")]
    return [element("li", element("a", name, href=f"#{place}")) for place, name in named]


def _main(report: Report, figures: Sequence[Figure]) -> Iterator[Html]:
    yield element("section", element("h2", "Results"), _grid(figures, report.command), id="methods")
    inside = report.inside
    if inside is not None:
        title = f"One run: {inside.run.result.run_id}"
        yield element(
            "section",
            element("h2", title),
            element("p", report.note),
            _grid(report.inner, report.command),
            id="inside",
        )
        yield examples_section(inside)
    else:
        yield element("section", element("h2", "One run"), element("p", report.note))
    yield _provenance(report)


def _grid(figures: Sequence[Figure], command: str) -> Html:
    return element("div", *(one.html(command) for one in figures), class_="figures")


def _of_task(one: Figure, task: str) -> Figure:
    return replace(one, name=f"{task}-{one.name}", title=f"{task}: {one.title}")


# --- where it comes from -----------------------------------------------------------------


def _provenance(report: Report) -> Html:
    rows = [
        (
            arm.name,
            run.seed,
            run.result.run_id,
            _marks(run, report.outdated),
            float(run.result.cost_usd),
            round(run.result.seconds, 1),
        )
        for part in report.parts
        for arm in part.arms
        for run in arm.runs
    ]
    again = list(report.commands.values())
    columns = ("method", "seed", "run", "marks", "$", "seconds")
    left = len(rows) - RUNS
    return element(
        "section",
        element("h2", "Runs and commands"),
        element("p", "This page again; --figures DIR also writes each figure as .svg and .csv:"),
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
        id="runs",
    )


def _marks(run: Kept, outdated: Collection[str]) -> str:
    marks = {
        "supervised": run.result.supervised,
        "other code": run.result.run_id in outdated,
        f"{run.result.leaked} leaked test rows": bool(run.result.leaked),
    }
    return ", ".join(mark for mark, holds in marks.items() if holds)


def _sources(runs: Sequence[Kept]) -> list[tuple[str, str]]:
    """What the runs were made with; where they differ, each value with the number of runs."""
    found: dict[str, dict[str, int]] = {}
    for run in runs:
        for key, value in _provenance_of(run):
            values = found.setdefault(key, {})
            values[value] = values.get(value, 0) + 1
    return [
        (
            key,
            next(iter(of)) if len(of) == 1 else "; ".join(f"{v} ({n} runs)" for v, n in of.items()),
        )
        for key, of in found.items()
    ]


def _provenance_of(run: Kept) -> Iterator[tuple[str, str]]:
    kept = run.result.provenance
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
