"""``sweep``: a recipe, or rows named here, as a grid of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.api.finished_runs import Run, load_run
from harness.api.frame import Frame, Framed
from harness.api.given_parts import with_given
from harness.api.tables_of_runs import RunsTable, table
from harness.api.wanted import SPECS, Wanted, objects_in, wanted
from harness.api.watching import RunLines
from harness.errors import CommandError, nearest
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.plugin_manager import Plugins
    from harness.protocols import AnyAnnotator, SelectorPreset, Student, Task
    from harness.sweep import sweeping
    from harness.sweep.recipes import Recipe
    from harness.sweep.states import JobState, SweepWatcher

SCORES = {"pool": "transductive", "test": "inductive"}
Watching: TypeAlias = bool | Callable[[str], AbstractContextManager["SweepWatcher"]]
"""False: nobody. True: a line a run. A callable: whoever watches the sweep of that name."""


@dataclass(frozen=True, slots=True)
class SweptRun:
    """One run of a sweep: its row, its seed, how it ended; ``run`` is None if it failed."""

    label: str
    seed: int
    state: str
    run: Run | None
    error: str = ""


@dataclass(frozen=True)
class Sweep(Framed):
    """All runs of a sweep.

    Attributes:
        name: of its recipe.
        runs: row by row, seed by seed.
        tables: one for each metric of the recipe; none where no run has recorded a stage.
        notes: what was left out, one line each.
        done: the same runs with their folders and times.
    """

    name: str
    runs: tuple[SweptRun, ...]
    tables: tuple[RunsTable, ...]
    notes: tuple[str, ...]
    done: sweeping.Sweep

    def of(self, label: str) -> list[Run]:
        """The finished runs of a row, by seed; a ``CommandError`` if there is no such row."""
        if label not in (labels := {one.label for one in self.runs}):
            raise CommandError(f"no row {label!r}; the rows are {', '.join(sorted(labels))}")
        return [one.run for one in self.runs if one.label == label and one.run is not None]

    @property
    def frame(self) -> Frame:
        """One row for each run and stage."""
        rows = [
            {
                "row": one.label,
                "seed": one.seed,
                "state": one.state,
                "stage": stage.stage,
                **{name: _score(stage, field) for name, field in SCORES.items()},
            }
            for one in self.runs
            for stage in (one.run.stages if one.run is not None else ())
        ]
        return Frame.of(rows, f"sweep {self.name}")


def sweep(
    recipe: str | Path | Mapping[str, Mapping[str, Any]],
    *,
    seeds: int | Sequence[int] = (0,),
    jobs: int = 1,
    on: str | None = None,
    task: str | Task | None = None,
    annotator: str | AnyAnnotator | None = None,
    student: str | Student | None = None,
    selector: str | SelectorPreset | None = None,
    rounds: int | None = None,
    setting: str | None = None,
    limit: int | None = None,
    budget_usd: float | None = None,
    config: Path | str | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    data: Path | str | None = None,
    out: Path | str = RUNS,
    plugins: Plugins | Sequence[str | Path] = (),
    progress: Watching = False,
) -> Sweep:
    """Do the runs of a recipe, each row with each seed; ``harness sweep`` calls this.

    Steps that runs share are done once. A run that fails stops no other, and is tried once more at
    the end. The same call goes on with what is missing.

    Args:
        recipe: its name, the path of its TOML file, or rows: ``{"small": {"student.epochs": 1}}``.
        seeds: of each row; or the only one.
        jobs: runs at a time, each in a process of its own.
        on: ``ray``, or ``ray:ADDRESS``: the runs as Ray tasks.
        task, annotator, student, selector: what all runs have, as of ``run``. Where one of them,
            or a value of a row, is an object, the runs are done in this process, one by one.
        rounds, setting, limit, budget_usd, config, settings, data, out: as of ``run``.
        plugins: modules or files.
        progress: True shows on stderr which runs end. A callable: whoever watches the sweep of
            that name.

    Raises:
        HarnessError: if a name or a setting is wrong, before anything runs.
    """
    given = dict(locals())
    rows = list(recipe.values()) if isinstance(recipe, Mapping) else []
    own = [settings] if isinstance(settings, Mapping) else []
    every = ({f"{key}.spec": given[key] for key in SPECS}, given, *rows, *own)
    objects = [key for values in every for key in objects_in(values)]
    if objects and (jobs > 1 or on is not None):
        raise CommandError(
            f"sweep: {objects[0]} is an object, which no other process has: leave jobs at 1 and "
            "on at None, or register it in a plugin, and name it (plugins=['my_plugin.py'])"
        )
    asked = wanted(given, config=config, settings=settings, data=data, out=out, plugins=plugins)
    name, found = _recipe(recipe, asked)
    check_metrics(recipe, found.metrics)
    seeds = [seeds] if isinstance(seeds, int) else seeds
    if not seeds:
        raise CommandError("sweep: seeds: name at least one")
    notes: list[str] = []
    with _watched(progress, name, notes) as watcher:
        done = _done(name, found, seeds, asked, watcher, (jobs, on), here=bool(objects))
    return Sweep(name, tuple(map(_swept, done.runs)), _tables(done, asked), tuple(notes), done)


def _done(
    name: str,
    recipe: Recipe,
    seeds: Sequence[int],
    asked: Wanted,
    watcher: SweepWatcher,
    how: tuple[int, str | None],
    *,
    here: bool,
) -> sweeping.Sweep:
    from harness.sweep.grid import Fixed
    from harness.sweep.jobs import Crew
    from harness.sweep.on_ray import on_ray
    from harness.sweep.sweeping import sweep_of
    from harness.sweep.worker import in_this_process

    jobs, on = how
    through = on_ray(on) if on is not None else in_this_process(asked.plugins) if here else None
    fixed = Fixed(asked.file, asked.settings, asked.values, asked.data, asked.out)
    crew = Crew(jobs, asked.plugins.choice)
    return sweep_of(name, recipe, seeds, fixed, asked.plugins, crew, watcher, through)


def _swept(one: sweeping.SweptRun) -> SweptRun:
    return SweptRun(
        one.label, one.seed, one.state, load_run(one.path) if one.finished else None, one.error
    )


def _tables(done: sweeping.Sweep, asked: Wanted) -> tuple[RunsTable, ...]:
    if not any(one.recorded for one in done.runs):
        return ()
    return tuple(
        table([done.name], metric=metric, out=asked.out, plugins=asked.plugins)
        for metric in done.recipe.metrics
    )


def _recipe(
    recipe: str | Path | Mapping[str, Mapping[str, Any]], asked: Wanted
) -> tuple[str, Recipe]:
    from harness.sweep.recipes import Recipe, find_recipe

    if not isinstance(recipe, Mapping):
        return find_recipe(str(recipe), asked.plugins)
    rows = [
        {"label": str(label), "settings": with_given(values, asked.plugins)}
        for label, values in recipe.items()
    ]
    return "rows", Recipe.model_validate({"summary": "rows of a call", "rows": rows})


def check_metrics(recipe: object, metrics: Sequence[str]) -> None:
    """Refuse, before anything runs, tables that could not be made."""
    from harness.report.measures import METRICS

    for metric in metrics:
        if metric not in METRICS:
            raise CommandError(f"{recipe}: unknown metric {metric!r}; {nearest(metric, METRICS)}")


@dataclass(frozen=True, slots=True)
class _Noting:
    """Keeps the notes of a sweep, and passes everything on."""

    notes: list[str]
    other: SweepWatcher | None

    def changed(self, state: JobState, states: Sequence[JobState]) -> None:
        """Passed on."""
        if self.other is not None:
            self.other.changed(state, states)

    def noted(self, message: str) -> None:
        """Kept, and passed on."""
        self.notes.append(message)
        if self.other is not None:
            self.other.noted(message)


@contextmanager
def _watched(progress: Watching, name: str, notes: list[str]) -> Iterator[SweepWatcher]:
    with progress(name) if callable(progress) else nullcontext() as other:
        yield _Noting(notes, RunLines() if progress is True else other)


def _score(stage: Any, field: str) -> float | None:
    score = getattr(stage, field)
    return None if score is None else float(score.score)
