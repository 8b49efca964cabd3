"""Results as tables: one column a stage, one row for runs that differ only in the seed."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.config import flat
from harness.errors import CommandError, nearest
from harness.files.escaping import latex_row, markdown_row, spreadsheet
from harness.metrics import Score
from harness.results import RunResult, StageResult

SCORES = ("transductive", "inductive", "validation", "inductive_without_leaked")


def _score(split: str) -> Callable[[StageResult], float | None]:
    def score(stage: StageResult) -> float | None:
        found: Score | None = getattr(stage, split)
        return None if found is None else found.score

    return score


METRICS: Mapping[str, Callable[[StageResult], float | None]] = {
    **{split: _score(split) for split in SCORES},
    "answered": lambda stage: None if stage.transductive is None else stage.transductive.answered,
    "random_label": lambda stage: (
        None if stage.transductive is None else stage.transductive.random_label
    ),
    "agreement": lambda stage: stage.agreement,
    "confidence": lambda stage: stage.confidence,
    "noise": lambda stage: stage.noise,
    "trusted_precision": lambda stage: (
        None if stage.selection is None else stage.selection.trusted_precision
    ),
    "cost_usd": lambda stage: stage.cost_usd,
    "seconds": lambda stage: stage.seconds,
}
"""What a table can show of a stage, scores and precisions in per cent."""

ROWS: Mapping[str, Callable[[RunResult], str]] = {
    "task": lambda run: run.task,
    "annotator": lambda run: str(run.config["annotator"]["spec"]),
    "student": lambda run: str(run.config["student"]["spec"]),
    "selector": lambda run: str(run.config["selector"]["spec"]),
    "rounds": lambda run: str(run.config["rounds"]),
    "limit": lambda run: str(run.config.get("limit") or "all"),
}
"""Columns that can name a row. Runs that differ only in the seed are one row; where runs of one
name differ in other settings, a column ``settings`` lists these."""

NEW_KEYS = (("without_leaked", False),)
"""Defaults of keys that earlier results lack; not listed as settings."""

UNSET = "None"
"""A setting that is left to the preset; not listed."""
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

    ``keys`` and ``stages`` name the columns; each row has its keys, and its cells (None: no
    value). ``percent``: the values are shares.
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
    """Put finished runs together: names of ``ROWS``, and one of ``METRICS``.

    ``outdated`` are the ids of runs that were made by other code than today's, to mark them.
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
            # Every table marks runs that have seen gold labels.
            names = (f"{names[0]} (supervised)", *names[1:])
        if run.run_id in outdated:
            names = (f"{names[0]} (other code)", *names[1:])
        groups.setdefault((*names, settings), []).append(run)
    if not any(names[-1] for names in groups):
        groups = {names[:-1]: group for names, group in groups.items()}
    else:
        keys = (*keys, SETTINGS)
    found = {stage.stage for run in runs for stage in run.stages}
    stages = sorted(found, key=lambda name: int(name.removeprefix("R")))
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
    """For each run the settings in which runs of its row differ, except the seed."""
    rows: dict[tuple[str, ...], list[dict[str, str]]] = {}
    every = [_settings(run) for run in runs]
    names = [(*(ROWS[key](run) for key in keys), str(run.supervised)) for run in runs]
    for name, settings in zip(names, every, strict=True):
        rows.setdefault(name, []).append(settings)
    found = []
    for name, settings in zip(names, every, strict=True):
        known = sorted({key for other in rows[name] for key in other})
        differing = [key for key in known if len({other.get(key) for other in rows[name]}) > 1]
        given = [key for key in differing if settings.get(key, UNSET) != UNSET]
        found.append(" ".join(f"{key}={settings[key]}" for key in given))
    return found


def _settings(run: RunResult) -> dict[str, str]:
    """The configuration without its seed, and hashes of the data that the run read."""
    identities = run.provenance.get("identities", {})
    return {f"{role} content": str(digest)[:8] for role, digest in identities.items()} | {
        key: str(value)
        for key, value in flat(run.config)
        if key != "seed" and (key, value) not in NEW_KEYS and not isinstance(value, Mapping)
    }


def _cell(runs: Sequence[RunResult], stage: str, metric: str) -> Cell | None:
    values = [METRICS[metric](one) for run in runs for one in run.stages if one.stage == stage]
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else None
    return Cell(statistics.fmean(known), deviation, len(known))


def _markdown(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.texts()]
    return "\n".join(map(markdown_row, lines))


def _latex(table: Table) -> str:
    columns = "l" * len(table.keys) + "r" * len(table.stages)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            latex_row(table.header),
            r"\hline",
            *map(latex_row, table.texts()),
            r"\end{tabular}",
        ]
    )


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


def for_spreadsheets(table: Table) -> Table:
    """The table with keys that a spreadsheet does not compute."""
    rows = tuple((tuple(map(spreadsheet, keys)), cells) for keys, cells in table.rows)
    return replace(table, rows=rows)


FORMATS: Mapping[str, Callable[[Table], str]] = {
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
"""Formats other than ``rich``, which draws on the terminal."""
