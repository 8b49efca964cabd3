"""Runs that differ only in the seed, as one method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.rows.entries import Entry
from harness.report.rows.naming import NAMING, STAGE, Names, named, natural
from harness.results import RunResult, StageResult


@dataclass(frozen=True, slots=True)
class Arm:
    """A method: its name, and its finished runs in the order of their seeds."""

    name: str
    runs: tuple[Entry, ...]

    @property
    def first(self) -> RunResult:
        """The run of the lowest seed."""
        return self.runs[0].finished

    def stages(self) -> list[str]:
        """Names of its stages, in order."""
        names = {stage.stage for run in self.runs for stage in run.stages}
        return sorted(names, key=lambda name: int(name[1:]))

    def at(self, stage: str) -> list[StageResult]:
        """A stage of each run that has it."""
        return [one for run in self.runs for one in run.stages if one.stage == stage]


def arms_of(runs: Sequence[Entry]) -> list[Arm]:
    """Group runs of one task, as the rows of a table: by a sweep's labels, or what differs."""
    keys, names = named(runs, (), STAGE)
    groups: dict[Names, list[Entry]] = {}
    for run, name in zip(runs, names, strict=True):
        groups.setdefault(name, []).append(run)
    if not any(run.label for run in runs):
        groups = {name: groups[name] for name in sorted(groups, key=natural)}
    return [
        Arm(_said(keys, name), tuple(sorted(of, key=lambda run: run.seed)))
        for name, of in groups.items()
    ]


def _said(keys: Sequence[str], name: Names) -> str:
    """``annotator + student settings``."""
    parts = [value for key, value in zip(keys, name, strict=True) if key in NAMING]
    others = [value for key, value in zip(keys, name, strict=True) if key not in NAMING]
    return " ".join(filter(None, [" + ".join(parts), *others]))
