"""``harness report``: runs as one HTML page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import DataOption, OutOption, data_folder, load_plugins
from harness.cli.screen.output import note, say, warn
from harness.errors import CommandError, HarnessError
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.plugin_manager import Plugins
    from harness.report.page.document import Report
    from harness.report.page.overview import Overview
    from harness.report.rows.entries import Entry
    from harness.results import RunResult


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
    from harness.record.folder import new_text
    from harness.report.page.document import page
    from harness.report.page.gather import parts_of

    _check_output(output)
    names, folder, plugins = runs or [], out or RUNS, load_plugins()
    parts = parts_of(names, folder, plugins, warn, task=task, baseline=baseline)
    given = {"task": task, "baseline": baseline, "examples": examples}
    # The page may go to others, whom paths of this machine do not concern.
    folders = {"data": "DIR" if data else None, "out": "RUNS" if out else None}
    command = _command(names, output, **given, **folders)
    made = _report(parts, plugins, data_folder(data), _shown(parts, examples, folder), command)
    new_text(output, page(made))
    if figures is not None:
        for one in (*made.outer, *made.inner):
            one.write(figures)
    if made.inside is None:
        note(made.note)
    where = f", figures: {figures}" if figures is not None else ""
    say(f"{len(made.runs)} run{'s' * (len(made.runs) > 1)}: {output}{where}")


def _shown(parts: Sequence[Overview], examples: str | None, out: Path) -> Entry:
    """The run whose examples the page shows."""
    from harness.record.listing import find_run
    from harness.report.page.gather import path_of

    if examples is None:
        return parts[0].baseline.runs[0]
    path = find_run(examples, out)
    found = [
        r for part in parts for arm in part.scores.arms for r in arm.runs if path_of(r) == path
    ]
    if not found:
        raise CommandError(f"--examples {examples}: this run is not among those of the page")
    return found[0]


def _report(
    parts: Sequence[Overview], plugins: Plugins, data: Path | None, shown: Entry, command: str
) -> Report:
    from harness.report.page.document import Report
    from harness.report.page.gather import inside_of

    inside, remark = inside_of(shown, plugins, data)
    firsts = [arm.first for part in parts for arm in part.scores.arms]
    commands = [again for run in firsts if (again := _again(run, plugins))]
    return Report(parts, inside, remark, command, commands)


def _again(run: RunResult, plugins: Plugins) -> str | None:
    """The command that makes a run again; None where its parts are not known here."""
    from harness.config import Config
    from harness.export.reproducing import command_of
    from harness.run.assembly import load_task

    try:
        config = Config.model_validate(run.config)
        card = load_task(config.task, plugins, None, declaration_only=True).card
        return command_of(config, card, plugins)
    except (HarnessError, ValueError):
        return None


def _command(runs: Sequence[str], output: Path, **options: str | None) -> str:
    words = ["harness", "report", *runs, "-o", output.name]
    for name, value in options.items():
        words += [f"--{name}", value] if value is not None else []
    return shlex.join(words)


def _check_output(file: Path) -> None:
    """Refuse to write over anything but a page of this command."""
    from harness.report.page.document import MARK

    if file.suffix.lower() not in (".html", ".htm"):
        raise CommandError(f"-o {file}: a page is a .html file")
    if not file.exists():
        return
    with file.open(encoding="utf-8", errors="replace") as page:
        if MARK not in page.read(500):
            raise CommandError(f"-o {file}: exists, and is no report; choose another name")
