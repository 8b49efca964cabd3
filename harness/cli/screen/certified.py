"""A certificate, on one screen of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.data import Kind
    from harness.label.certificate import Certificate, Judged, OfLabel, OfStage


def certificate_picture(found: Certificate, kind: Kind) -> Group:
    """How right each stage is, and the last of each actor by label."""
    metric = "F1 %" if kind == "token" else "right %"
    title = f"{len(found.gold.rows)} rows by hand, of {found.pool} in the pool of {found.run_id}"
    table = _table([("stage", "left"), ("labels of the", "left"), (metric, "right")])
    table.add_column("95 %", justify="right")
    last = found.stages[-1]
    for stage in found.stages:
        who = f"{stage.actor}, exported" if stage is last else stage.actor
        table.add_row(stage.stage, who, *_cells(stage.judged))
    more = f"{last.judged.more_to_halve():,} more rows by hand would halve the last interval."
    actors = {stage.actor: stage for stage in found.stages}
    by_label = [part for stage in actors.values() for part in _by_label(stage, kind)]
    return Group(Text(title, style="bold"), table, Text(more), *by_label)


def _by_label(stage: OfStage, kind: Kind) -> tuple[Text, Table]:
    title = Text(f"\n{stage.stage}, {stage.actor}, by label", style="bold")
    return title, (_types if kind == "token" else _labels)(stage.by_label)


def _labels(by_label: Mapping[str, OfLabel]) -> Table:
    names = ("by hand", "found %", "95 %", "given", "right %", "95 %")
    table = _table([("label", "left"), *((name, "right") for name in names)])
    for name, one in by_label.items():
        table.add_row(Text(name), *_counted(one.found), *_counted(one.right))
    return table


def _types(by_label: Mapping[str, OfLabel]) -> Table:
    names = ("by hand", "given", "both", "F1 %", "95 %")
    table = _table([("type", "left"), *((name, "right") for name in names)])
    for name, one in by_label.items():
        if one.f1 is None:
            table.add_row(Text(name), "0", "0", "0", "–", "–")
            continue
        right, given, true = one.f1.outcomes.counts.sum(axis=(0, 1)).tolist()
        table.add_row(Text(name), str(true), str(given), str(right), *_cells(one.f1))
    return table


def _counted(judged: Judged | None) -> tuple[str, ...]:
    return ("0", "–", "–") if judged is None else (str(judged.rows), *_cells(judged))


def _cells(judged: Judged) -> tuple[str, str]:
    low, high = 100 * judged.interval.low, 100 * judged.interval.high
    return f"{100 * judged.outcomes.score:.1f}", f"{low:.1f} to {high:.1f}"


def _table(columns: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name, side in columns:
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    return table
