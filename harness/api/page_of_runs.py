"""A page of runs: which they are, whose examples it shows, which commands make them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.api.finished_runs import Run
from harness.api.wanted import plugins_with
from harness.config import Config
from harness.errors import CommandError, HarnessError, RunError, nearest
from harness.export.reproducing import command_of
from harness.plugin_manager import Plugins
from harness.record.layout import RUNS
from harness.record.listing import find_run
from harness.report.charts.figure import Figure
from harness.report.page.document import MARK, Report
from harness.report.page.gather import inside_of, parts_of, path_of
from harness.report.page.overview import Overview
from harness.report.rows.entries import Entry
from harness.results import RunResult
from harness.run.assembly import load_task


def report_of(
    runs: Sequence[str],
    out: Path,
    data: Path | None,
    plugins: Plugins,
    warn: Callable[[str], None],
    *,
    task: str | None = None,
    baseline: str | None = None,
    examples: str | None = None,
    command: str = "",
) -> Report:
    """What ``harness report`` writes, by ``document.page``, and its figures.

    Args:
        runs: ids or folders of runs, or sweeps; empty: all below ``out``.
        out: where runs are kept.
        data: the runs' folder of data: their own hold no texts.
        plugins: whose parts made the runs.
        warn: hears of runs that are left out.
        task: only this one.
        baseline: the method that the others are compared with.
        examples: the run whose examples the page shows.
        command: that the page says it was made by.

    Raises:
        HarnessError: if there is no such run.
    """
    parts = parts_of(runs, out, plugins, warn, task=task, baseline=baseline)
    inside, remark = inside_of(_shown(parts, examples, out), plugins, data)
    firsts = [arm.first for part in parts for arm in part.scores.arms]
    commands = [again for run in firsts if (again := _again(run, plugins))]
    return Report(parts, inside, remark, command, commands)


def plot(
    runs: Sequence[Run | str] | Run | str | None = None,
    figure: str | None = None,
    *,
    task: str | None = None,
    baseline: str | None = None,
    out: Path | str = RUNS,
    plugins: Plugins | Sequence[object] = (),
) -> Figure:
    """One of the figures over methods that ``harness report`` draws; a notebook shows it.

    Args:
        runs: one or several, also by their ids, or sweeps by their recipes; None: all below
            ``out``. Unfinished ones are left out.
        figure: its name, that of its files in ``harness report --figures``; None: the first, the
            scores of the stages.
        task, baseline: as of ``harness report``.
        out: where runs are kept.
        plugins: whose parts made the runs.

    Returns:
        The figure: ``picture`` is SVG, ``rows`` below ``columns`` are its numbers, and
        ``write(folder)`` writes both as files.

    Raises:
        HarnessError: if there is no finished run, or no figure of this name.
    """
    wanted = [runs] if isinstance(runs, Run | str) else runs or []
    names = [str(one.path) if isinstance(one, Run) else one for one in wanted]
    known = plugins if isinstance(plugins, Plugins) else plugins_with(plugins)
    parts = parts_of(names, Path(out), known, lambda note: None, task=task, baseline=baseline)
    drawn = {one.name: one for one in Report(parts, None, "", "", ()).outer}
    if not drawn:
        raise RunError("plot: these runs have no scores to draw: their task has no gold labels")
    name = figure or next(iter(drawn))
    if name not in drawn:
        raise CommandError(f"plot: no figure {name!r} of these runs; {nearest(name, drawn)}")
    return drawn[name]


def check_page(file: Path) -> None:
    """Refuse to write over anything but a page of this command."""
    if file.suffix.lower() not in (".html", ".htm"):
        raise CommandError(f"-o {file}: a page is a .html file")
    if not file.exists():
        return
    with file.open(encoding="utf-8", errors="replace") as page:
        if MARK not in page.read(500):
            raise CommandError(f"-o {file}: exists, and is no report; choose another name")


def _shown(parts: Sequence[Overview], examples: str | None, out: Path) -> Entry:
    """The run whose examples the page shows."""
    if examples is None:
        return parts[0].baseline.runs[0]
    path = find_run(examples, out)
    found = [
        r for part in parts for arm in part.scores.arms for r in arm.runs if path_of(r) == path
    ]
    if not found:
        raise CommandError(f"--examples {examples}: this run is not among those of the page")
    return found[0]


def _again(run: RunResult, plugins: Plugins) -> str | None:
    """The command that makes a run again; None where its parts are not known here."""
    try:
        config = Config.model_validate(run.config)
        card = load_task(config.task, plugins, None, declaration_only=True).card
        return command_of(config, card, plugins)
    except (HarnessError, ValueError):
        return None
