"""``harness report``: runs as one HTML page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import DataOption, OutOption, data_folder, load_plugins
from harness.cli.screen.output import note, say, warn
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from collections.abc import Sequence


def report(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html", help="The page.")],
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUNS]", help="Ids or folders of runs, or sweeps; all of them."),
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Only this task.")] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="The method that others are compared with.")
    ] = None,
    examples: Annotated[
        str | None, typer.Option(metavar="RUN", help="The run whose examples the page shows.")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write each figure: .csv, .svg, .pdf (extra pdf)."),
    ] = None,
    data: DataOption = None,
    out: OutOption = None,
) -> None:
    """Write finished runs as one HTML page, which needs no network.

    Runs that differ only in the seed are one method. --data DIR is that of the runs: their
    folders hold no texts.
    """
    from harness.api.page_of_runs import check_page, report_of
    from harness.record.folder import new_text
    from harness.report.page.document import page

    check_page(output)
    names = runs or []
    given: dict[str, Any] = {"task": task, "baseline": baseline, "examples": examples}
    # The page may go to others, whom paths of this machine do not concern.
    folders = {"data": "DIR" if data else None, "out": "RUNS" if out else None}
    command = _command(names, output, **given, **folders)
    places = out or RUNS, data_folder(data)
    made = report_of(names, *places, load_plugins(), warn, command=command, **given)
    new_text(output, page(made))
    if figures is not None:
        for one in (*made.outer, *made.inner):
            one.write(figures)
    if made.inside is None:
        note(made.note)
    where = f", figures: {figures}" if figures is not None else ""
    say(f"{len(made.runs)} run{'s' * (len(made.runs) > 1)}: {output}{where}")


def _command(runs: Sequence[str], output: Path, **options: str | None) -> str:
    words = ["harness", "report", *runs, "-o", output.name]
    for name, value in options.items():
        words += [f"--{name}", value] if value is not None else []
    return shlex.join(words)
