"""A sweep as a whole: from the name of a recipe to what became of each run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CorruptRunError, HarnessError
from harness.plugin_manager import Plugins
from harness.record import layout
from harness.record.folder import new_file
from harness.record.listing import find_sweep, read_run
from harness.results import SCHEMA
from harness.sweep.grid import Fixed, Grid, grid_of
from harness.sweep.jobs import Crew, GoThrough, do_jobs
from harness.sweep.recipes import Recipe
from harness.sweep.states import JobState, State, SweepWatcher


@dataclass(frozen=True, slots=True)
class SweptRun:
    """One run of a sweep, in its place in the table; fields as in ``JobState``."""

    label: str
    seed: int
    run_id: str
    path: Path
    state: State
    error: str
    seconds: float
    did: float
    shared: float

    @property
    def finished(self) -> bool:
        """Whether its result is there."""
        return self.state in ("done", "found")

    @property
    def recorded(self) -> bool:
        """Whether it has a stage to show."""
        return bool(read_run(self.path).stages)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What became of a sweep.

    Attributes:
        name: of the recipe.
        seeds: of each row.
        runs: row by row, seed by seed; a run that two rows have in common stands in both.
        notes: what was left out, and why.
    """

    name: str
    recipe: Recipe
    seeds: tuple[int, ...]
    runs: tuple[SweptRun, ...]
    notes: tuple[str, ...]

    @property
    def each(self) -> tuple[SweptRun, ...]:
        """The runs, each once."""
        return tuple({one.path: one for one in reversed(self.runs)}.values())[::-1]

    @property
    def unfinished(self) -> tuple[SweptRun, ...]:
        """Runs without a result, each once."""
        return tuple(one for one in self.each if not one.finished)


def sweep_of(
    name: str,
    found: Recipe,
    seeds: Sequence[int],
    fixed: Fixed,
    plugins: Plugins,
    crew: Crew,
    watcher: SweepWatcher,
    go_through: GoThrough | None = None,
) -> Sweep:
    """Do the runs of a recipe, each row with each seed; what is finished is not done again.

    Args:
        name: under which the sweep is recorded.
        found: the recipe.
        seeds: of each row.
        fixed: what all runs have in common.
        plugins: whose parts they name.
        crew: who does them.
        watcher: sees their states, and what is left out.
        go_through: how they are done (``jobs``, ``on_ray``).

    Raises:
        HarnessError: for what is wrong with the recipe or a setting, before anything runs. A run
            that fails raises nothing: its state says so.
    """
    grid = grid_of(found, seeds, fixed, plugins)
    for note in grid.notes:
        watcher.noted(note)
    with _recorded(name, fixed.out, _rows_of(name, found, grid), watcher):
        done = do_jobs(grid.jobs, fixed, crew, watcher, go_through)
    states = {one.job.path: one for one in done}
    runs = tuple(
        _swept(kind.row.label, job.seed, states[job.path])
        for kind in grid.kinds
        for job in kind.jobs
    )
    return Sweep(name, found, tuple(seeds), runs, grid.notes)


def _swept(label: str, seed: int, state: JobState) -> SweptRun:
    said = (state.state, state.error, state.seconds, state.did, state.shared)
    return SweptRun(label, seed, state.job.run_id, state.job.path, *said)


@contextmanager
def _recorded(name: str, out: Path, text: str, watcher: SweepWatcher) -> Iterator[None]:
    """Say in a file which runs the sweep is made of; what it said stays if none can begin."""
    file, earlier = layout.sweep_file(out, name), None
    before = file.read_bytes() if file.is_file() else None
    with suppress(CorruptRunError):
        earlier = find_sweep(name, out)
    if earlier and any(run not in text for row in earlier.rows for run in row["runs"].values()):
        watcher.noted(
            f"{name!r} named the runs of another harness sweep in tables until now; that command "
            "names them again, and does nothing twice; --out keeps two apart"
        )
    new_file(file, lambda path: path.write_text(text, encoding="utf-8"))
    try:
        yield
    except HarnessError:
        if before is None:
            file.unlink()
        else:
            new_file(file, lambda path: path.write_bytes(before))
        raise


def _rows_of(name: str, recipe: Recipe, grid: Grid) -> str:
    """Which runs the sweep is made of, as JSON."""
    rows = [
        {
            "label": kind.row.label,
            "settings": kind.row.settings,
            "runs": {job.seed: f"{job.path.parent.name}/{job.path.name}" for job in kind.jobs},
        }
        for kind in grid.kinds
    ]
    values = {
        "schema": SCHEMA, "recipe": name, "baseline": recipe.baseline,
        "stages": recipe.columns, "rows": rows,
    }  # fmt: skip
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"
