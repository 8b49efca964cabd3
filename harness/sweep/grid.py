"""From a recipe to the runs of a sweep: rows, seeds, and which run stands where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import Config, load_config
from harness.errors import CommandError, DataError, InapplicableError
from harness.plugin_manager import Plugins
from harness.protocols import Parts
from harness.record import layout
from harness.run.assembly import assemble, run_id
from harness.run.planning import PlannedStep, plan, together
from harness.run.splits import splits_of
from harness.sweep.recipes import Recipe, Row


@dataclass(frozen=True, slots=True)
class Fixed:
    """What the command says of all runs: a file, settings, options, folders.

    Attributes:
        file: of ``--config``.
        settings: of ``--set``.
        values: dotted keys of options; None where not given.
        data, out: folders of data and of runs.
    """

    file: Path | None
    settings: tuple[str, ...]
    values: Mapping[str, Any]
    data: Path | None
    out: Path

    def config(
        self, below: Mapping[str, Any], above: Mapping[str, Any], plugins: Plugins
    ) -> Config:
        """The configuration with a recipe's settings below and a row's above what was given."""
        given = {**self.values, **above}
        return load_config(self.file, self.settings, given, plugins.keys(), below)


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a sweep.

    Attributes:
        label, seed: where it stands in the table; the first place of several.
        below, above: a recipe's settings, and the row's.
        run_id, path: of the run.
    """

    label: str
    seed: int
    below: Mapping[str, Any]
    above: Mapping[str, Any]
    run_id: str
    path: Path

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.label}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Kind:
    """The runs of one row: they differ in their seeds alone."""

    row: Row
    config: Config
    parts: Parts
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """All runs of a sweep.

    Attributes:
        kinds: one a row, in the order of the table.
        jobs: each run once, also where two rows have it in common. Runs of one row come one after
            another: they differ in their seeds, so that none waits for a step of another.
        notes: what was left out, and why.
    """

    kinds: tuple[Kind, ...]
    jobs: tuple[Job, ...]
    notes: tuple[str, ...]

    def steps(self) -> list[PlannedStep]:
        """What all runs would send to a language model, as ``planning.together`` adds it up."""
        runs = {
            job.path: (kind.config.model_copy(update={"seed": job.seed}), kind.parts)
            for kind in self.kinds
            for job in kind.jobs
        }
        return together(
            [
                (config, plan(parts, config, splits_of(config, parts.task)))
                for config, parts in runs.values()
            ]
        )


def grid_of(recipe: Recipe, seeds: Sequence[int], fixed: Fixed, plugins: Plugins) -> Grid:
    """Put the runs together.

    A setting of the recipe that the student or the task has no use for is left out, and so is a
    row whose own settings are of that kind, or whose task has no data here or does not suit the
    annotator or the student that all rows have.

    Raises:
        HarnessError: for what is wrong with the command, or with a row.
    """
    notes: dict[str, None] = {}
    kinds = []
    for row in recipe.expanded():
        try:
            kinds.append(_kind(row, dict(recipe.settings), seeds, fixed, plugins, notes))
        except _LeftOutError as left:
            notes[f"row {row.label!r} is left out: {left}"] = None
    if not kinds:
        raise CommandError(f"no row of the recipe can be run: {'; '.join(notes)}")
    jobs = {job.path: job for kind in reversed(kinds) for job in reversed(kind.jobs)}
    return Grid(tuple(kinds), tuple(reversed(jobs.values())), tuple(notes))


class _LeftOutError(Exception):
    """A row cannot be run with this student, on this task or without its data."""


def _kind(
    row: Row,
    below: dict[str, Any],
    seeds: Sequence[int],
    fixed: Fixed,
    plugins: Plugins,
    notes: dict[str, None],
) -> Kind:
    above = {**row.settings, "seed": seeds[0]}
    try:
        config, parts = assemble(fixed.config(below, above, plugins), plugins, fixed.data)
    except InapplicableError as error:
        if error.key in row.settings:
            raise _LeftOutError(str(error)) from None
        if error.key not in below:
            if "task" in row.settings:
                raise _LeftOutError(str(error)) from None
            raise
        notes[f"the recipe's {error.key} = {below.pop(error.key)!r} is left out: {error}"] = None
        return _kind(row, below, seeds, fixed, plugins, notes)
    except DataError as error:
        if "task" in row.settings:
            raise _LeftOutError(str(error)) from None
        raise
    jobs = [_job(row, below, seed, config, parts, fixed.out) for seed in seeds]
    return Kind(row, config, parts, tuple(jobs))


def _job(
    row: Row, below: Mapping[str, Any], seed: int, config: Config, parts: Parts, out: Path
) -> Job:
    name = run_id(config.model_copy(update={"seed": seed}), parts)
    path = layout.run_folder(out, parts.task.card.name, name)
    return Job(row.label, seed, dict(below), {**row.settings, "seed": seed}, name, path)
