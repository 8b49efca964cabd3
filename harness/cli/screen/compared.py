"""What ``harness compare`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from harness.cli.screen.tables import titled
from harness.metrics import SCORE_NAMES
from harness.report.comparison import SPLITS
from harness.report.tables import p_text

if TYPE_CHECKING:
    from rich.console import Console

    from harness.report.comparison import Compared, TwoMethods
    from harness.stats.paired import Comparison

SHOWN = 12
"""Differences that are listed."""


def print_comparison(
    screen: Console,
    names: tuple[str, str],
    found: TwoMethods,
    texts: Mapping[str, str],
    examples: int,
) -> None:
    """The differences, a table of scores, and ``examples`` of what changed each way."""
    for letter, name in zip("AB", names, strict=True):
        screen.print(Text(f"{letter}  {name}"), soft_wrap=True)
    for one in found.differences[:SHOWN]:
        screen.print(Text(f"   {one.what}: {one.first} | {one.second}"), soft_wrap=True)
    if not found.differences:
        screen.print(Text("   the same configuration, data and code, but for the seed"))
    if more := len(found.differences) - SHOWN:
        screen.print(Text(f"   and {more} more; --json has all")) if more > 0 else None
    screen.print(_table(found))
    for line in _notes(found):
        screen.print(Text(line, style="dim"))
    if examples:
        _print_examples(screen, found.stages[-1], texts, examples)


def _table(found: TwoMethods) -> object:
    title = f"{SCORE_NAMES.get(found.metric, found.metric)} in %"
    right = ("n", "A", "B", "B - A", "95 %", "p", "better", "worse")
    table = titled(title, ("stage", "on"), right, no_wrap=True, padding=(0, 1, 0, 0))
    table.show_edge = False
    for one in found.stages:
        style = "bold" if one.paired.p < 0.05 else ""
        cells = (
            f"{one.paired.examples:,}",
            f"{100 * one.first.score:.1f}",
            f"{100 * one.second.score:.1f}",
            f"{100 * one.paired.difference:+.1f}",
            _interval(one.paired),
            p_text(one.paired.p),
            f"{len(one.gained):,}",
            f"{len(one.lost):,}",
        )
        table.add_row(one.stage, SPLITS[one.split], *cells, style=style)
    return table


def _interval(paired: Comparison) -> str:
    low, high = 100 * paired.interval.low, 100 * paired.interval.high
    return f"{low:+.1f} to {high:+.1f}"


def _notes(found: TwoMethods) -> list[str]:
    if found.seeds:
        tested = f"paired over examples and the {len(found.seeds)} seeds that both have"
    else:
        tested = "paired over examples (bootstrap, permutation test); one run each, so the chance\n"
        tested += "of training is not in it"
    lines = [f"{tested}; bold: p < 0.05, each row by itself"]
    if found.metric == "entity_f1":
        lines.append("better, worse: sentences with all mentions right in one only")
    return [*lines, *found.missing]


def _print_examples(
    screen: Console, last: Compared, texts: Mapping[str, str], examples: int
) -> None:
    where = f"{last.stage}, {SPLITS[last.split]}"
    for name, ids in (("right in B only", last.gained), ("right in A only", last.lost)):
        screen.print(Text(f"{name} ({where}):", style="bold"))
        for id_ in ids[:examples]:
            screen.print(Text(f"  {id_}  {texts.get(id_, '')}"), overflow="ellipsis", no_wrap=True)
