"""Results as tables: one row a kind of run, one column a stage, seeds put together."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import CommandError, nearest
from harness.results import RunResult, StageResult

METRICS: Mapping[str, Callable[[StageResult], float | None]] = {
    "transductive": lambda stage: stage.transductive and stage.transductive.score,
    "inductive": lambda stage: stage.inductive and stage.inductive.score,
    "validation": lambda stage: stage.validation and stage.validation.score,
    "inductive_without_leaked": lambda stage: (
        stage.inductive_without_leaked and stage.inductive_without_leaked.score
    ),
    "answered": lambda stage: stage.transductive and stage.transductive.answered,
    "random_label": lambda stage: stage.transductive and stage.transductive.random_label,
    "trusted_precision": lambda stage: stage.selection and stage.selection.trusted_precision,
    "agreement": lambda stage: stage.agreement,
    "confidence": lambda stage: stage.confidence,
    "noise": lambda stage: stage.noise,
    "cost_usd": lambda stage: stage.cost_usd,
    "seconds": lambda stage: stage.seconds,
}
"""What a table can show of a stage. Scores and precisions are printed in per cent."""

ROWS: Mapping[str, Callable[[RunResult], str]] = {
    "task": lambda run: run.task,
    "annotator": lambda run: str(run.config["annotator"]["spec"]),
    "student": lambda run: str(run.config["student"]["spec"]),
    "selector": lambda run: str(run.config["selector"]["spec"]),
    "rounds": lambda run: str(run.config["rounds"]),
    "limit": lambda run: str(run.config.get("limit") or "all"),
}
"""What a row can be named by. Runs that agree in all but the seed are one row; where runs
of one name differ in other settings, a column ``settings`` names those that are set."""

UNSAID = (("without_leaked", False),)
"""Settings that results from before there was such a key agree with by having none."""

UNSET = "None"
"""A setting that is left to the preset: it is not named."""
SETTINGS = "settings"

DEFAULT_ROWS = ("task", "annotator", "student")


@dataclass(frozen=True, slots=True)
class Cell:
    """Mean and standard deviation (None of a single value) over ``n`` runs."""

    mean: float
    deviation: float | None
    n: int

    def text(self, *, percent: bool) -> str:
        """As printed: per cent with two digits, or four significant digits."""
        scale, digits = (100, ".2f") if percent else (1, ".4g")
        text = format(self.mean * scale, digits)
        if self.deviation is None:
            return text
        return f"{text} ± {format(self.deviation * scale, digits)}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, ready to be printed in any format.

    Attributes:
        title: what it shows.
        keys: names of the leading columns.
        stages: names of the others.
        rows: for each row its keys and its cells (None: no value).
        percent: whether the values are shares.
    """

    title: str
    keys: tuple[str, ...]
    stages: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Cell | None, ...]], ...]
    percent: bool

    @property
    def header(self) -> tuple[str, ...]:
        """All column names."""
        return (*self.keys, *self.stages)

    def texts(self) -> list[list[str]]:
        """All rows as texts; a dash where there is no value."""
        return [
            [*keys, *("–" if cell is None else cell.text(percent=self.percent) for cell in cells)]
            for keys, cells in self.rows
        ]


def make_table(
    runs: Sequence[RunResult],
    *,
    rows: Sequence[str] | None = None,
    metric: str = "transductive",
    outdated: Collection[str] = (),
) -> Table:
    """Put runs together.

    Args:
        runs: finished runs.
        rows: names of ``ROWS``; None: task, annotator and student.
        metric: a name of ``METRICS``.
        outdated: ids of runs that other code made than today's: they are marked.

    Raises:
        CommandError: for an unknown name.
    """
    keys = tuple(rows or DEFAULT_ROWS)
    for key in keys:
        if key not in ROWS:
            raise CommandError(f"--rows: unknown key {key!r}; {nearest(key, ROWS)}")
    if metric not in METRICS:
        raise CommandError(f"--metric: unknown metric {metric!r}; {nearest(metric, METRICS)}")
    groups: dict[tuple[str, ...], list[RunResult]] = {}
    for run, settings in zip(runs, _differences(runs, keys), strict=True):
        names = tuple(ROWS[key](run) for key in keys)
        if run.supervised:
            # Said in every table: these runs have seen gold labels.
            names = (f"{names[0]} (supervised)", *names[1:])
        if run.run_id in outdated:
            names = (f"{names[0]} (other code)", *names[1:])
        groups.setdefault((*names, settings), []).append(run)
    if not any(names[-1] for names in groups):
        groups = {names[:-1]: group for names, group in groups.items()}
    else:
        keys = (*keys, SETTINGS)
    stages = sorted({stage.stage for run in runs for stage in run.stages}, key=_stage_order)
    return Table(
        title=f"{metric} by stage",
        keys=keys,
        stages=tuple(stages),
        rows=tuple(
            (names, tuple(_cell(groups[names], stage, metric) for stage in stages))
            for names in sorted(groups)
        ),
        percent=metric not in ("cost_usd", "seconds"),
    )


def _differences(runs: Sequence[RunResult], keys: Sequence[str]) -> list[str]:
    """For each run the settings, seed apart, in which runs of its row differ.

    Only runs that agree in everything but the seed are averaged.
    """
    rows: dict[tuple[str, ...], list[dict[str, str]]] = {}
    flat = [_flat(run.config) | _identities(run) for run in runs]
    names = [(*(ROWS[key](run) for key in keys), str(run.supervised)) for run in runs]
    for name, settings in zip(names, flat, strict=True):
        rows.setdefault(name, []).append(settings)
    found = []
    for name, settings in zip(names, flat, strict=True):
        every = {key for other in rows[name] for key in other}
        differing = [
            key for key in sorted(every) if len({other.get(key) for other in rows[name]}) > 1
        ]
        given = [key for key in differing if settings.get(key, UNSET) != UNSET]
        found.append(" ".join(f"{key}={settings[key]}" for key in given))
    return found


def _identities(run: RunResult) -> dict[str, str]:
    """What the run read: data of the same name may differ from run to run."""
    identities = run.provenance.get("identities", {})
    return {f"{role} content": str(digest)[:8] for role, digest in identities.items()}


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        elif prefix + key != "seed" and (key, value) not in UNSAID:
            flat[prefix + key] = str(value)
    return flat


def _cell(runs: Sequence[RunResult], stage: str, metric: str) -> Cell | None:
    values = [METRICS[metric](one) for run in runs for one in run.stages if one.stage == stage]
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else None
    return Cell(statistics.fmean(known), deviation, len(known))


def _stage_order(stage: str) -> int:
    return int(stage.removeprefix("R"))


def _markdown(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.texts()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [name for stage in table.stages for name in (stage, f"{stage}_sd", f"{stage}_n")]
    writer.writerow([*table.keys, *columns])
    for keys, cells in table.rows:
        values = [
            value
            for cell in cells
            for value in ((cell.mean, cell.deviation, cell.n) if cell else (None, None, 0))
        ]
        writer.writerow([*keys, *("" if value is None else value for value in values)])
    return out.getvalue().rstrip("\n")


def _json(table: Table) -> str:
    def cell(value: Cell | None) -> object:
        return value and {"mean": value.mean, "sd": value.deviation, "n": value.n}

    rows = [
        {
            **dict(zip(table.keys, keys, strict=True)),
            "stages": {s: cell(c) for s, c in zip(table.stages, cells, strict=True)},
        }
        for keys, cells in table.rows
    ]
    return json.dumps({"title": table.title, "rows": rows}, ensure_ascii=False)


FORMATS: Mapping[str, Callable[[Table], str]] = {
    "markdown": _markdown,
    "csv": _csv,
    "json": _json,
}
"""Formats beside ``rich``, which draws on the terminal."""
