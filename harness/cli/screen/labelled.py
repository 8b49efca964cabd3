"""The summary of ``harness label``, on one screen of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from harness.label.labelling import Given, Labelled

DOUBTFUL = 20
"""Rows that are shown."""
WIDTH = 42
"""Characters of a text that are shown."""


def labels_picture(found: Labelled) -> Group:
    """Rows of each label, how many are right, what it cost, and the most doubtful rows."""
    counts, total = found.counts(), len(found.given)
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name, side in (("label", "left"), ("rows", "right"), ("%", "right")):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    every = sum(counts.values()) or 1
    for name, count in counts.items():
        table.add_row(Text(name), str(count), f"{100 * count / every:.1f}")
    unused = len(found.texts.unusable)
    lines = [f"{total - unused} of {total} rows are labelled; {unused} cannot be used."]
    lines += [_right(found), f"Cost: ${found.cost_usd:.2f}."]
    parts = [Text(line) for line in lines if line]
    return Group(table, *parts, *_doubtful(found))


def _right(found: Labelled) -> str:
    """The estimated accuracy, or why there is none."""
    interval, outcomes = found.interval, found.outcomes
    if interval is not None and outcomes is not None:
        low, high = 100 * interval.low, 100 * interval.high
        what = "accuracy" if outcomes.counts.shape[2] == 1 else "F1 of entities"
        said = f"Estimated {what}: {100 * outcomes.score:.1f} % (95 %: {low:.1f} to {high:.1f})"
        return f"{said}, of {outcomes.examples} rows with a known label."
    if found.reviewed:
        return (
            f"{len(found.reviewed)} rows have a person's label. They were chosen as doubtful, so "
            "they do not say how many others are right; --check N draws some at random."
        )
    return "How many are right is not known: no row has a label by hand (--review, --check)."


def _doubtful(found: Labelled) -> list[Table | Text]:
    rows = found.doubtful()[:DOUBTFUL]
    if not rows:
        return []
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("row", "%"):
        table.add_column(name, justify="right", no_wrap=True)
    # Columns that may wrap give way first; what they hold does not.
    table.add_column("label, other candidates", max_width=26)
    table.add_column("text", max_width=WIDTH)
    for row in rows:
        one = found.given[row]
        text = " ".join(found.texts.texts[row].split())
        sure = f"{100 * (one.confidence or 0):.0f}"
        place = found.texts.places[row].rpartition(":")[2].removeprefix(" row ")
        said = (_names(one), text[: 2 * WIDTH])
        cells = (Text(cell, no_wrap=True, overflow="ellipsis") for cell in said)
        table.add_row(place, sure, *cells)
    return [Text("The most doubtful rows:", style="bold"), table]


def _names(one: Given) -> str:
    if isinstance(one.label, str):
        return ", ".join([one.label, *(name for name in one.candidates if name != one.label)])
    return ", ".join(f"{span['type']} {span['text']!r}" for span in one.label or ()) or "–"
