"""The runs that a command names, as rows of a table or methods of a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import RunError
from harness.plugin_manager import Plugins
from harness.record.listing import (
    ListedRun,
    SweepRows,
    find_method,
    find_sweep,
    list_runs,
    read_run,
)
from harness.record.provenance import outdated
from harness.report.rows.entries import Entry, read_entry

Warn = Callable[[str], None]


def chosen(
    names: Sequence[str | Path] | None, out: Path, plugins: Plugins | None, warn: Warn
) -> tuple[list[Entry], list[SweepRows]]:
    """The runs that are asked for, each with its row's name where it has one, and the sweeps.

    Args:
        names: sweeps by their recipes, ``recipe:row``, runs by ids or folders; None: all runs.
        out: where runs are kept.
        plugins: whose code may be another than that of the runs; None: nobody asks.
        warn: of runs that cannot be read.

    Raises:
        CommandError: for a name that nothing has.
        CorruptRunError: if a sweep's file is damaged.
    """
    if names is None:
        return [one for run in list_runs(out) if (one := _entry(run, plugins, warn))], []
    found: dict[tuple[Path, str], Entry] = {}
    sweeps: list[SweepRows] = []
    for name in names:
        if isinstance(name, Path) or (sweep := find_sweep(name, out)) is None:
            for path in [name] if isinstance(name, Path) else find_method(name, out):
                if entry := _entry(read_run(path), plugins, warn):
                    found[path, ""] = entry
            continue
        sweeps.append(sweep)
        for row in sweep.rows:
            for path in (out / one for one in row["runs"].values()):
                if path.is_dir() and (entry := _entry(read_run(path), plugins, warn)):
                    labelled = replace(entry, label=row["label"], settings=row["settings"])
                    found[path, row["label"]] = labelled
    return list(found.values()), sweeps


def _entry(run: ListedRun, plugins: Plugins | None, warn: Warn) -> Entry | None:
    if run.problem:
        warn(f"left out: {run.problem}")
        return None
    other = plugins is not None and run.result is not None and bool(outdated(run.result, plugins))
    try:
        return read_entry(run, other_code=other)
    except RunError as error:
        warn(f"left out: {error}")
        return None
