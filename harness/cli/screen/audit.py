"""An audit on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.audit.data_audit import OtherTask, Overlap, SplitAudit, TaskAudit
from harness.cli.screen.tables import percent, titled

DASH = "–"


def audit_tables(audit: TaskAudit) -> Group:
    """The figures as tables, then what follows from them for a score, in words."""
    title = Text(f"{audit.task}: {audit.title}" if audit.title else audit.task, style="bold")
    tables = [_rows(audit), _lengths(audit), _classes(audit)]
    if audit.overlaps:
        tables.append(_overlaps(audit.overlaps))
    if audit.others:
        tables.append(_others(audit.others))
    return Group(title, Text(""), *tables, Text("What to know", style="bold"), *_findings(audit))


def _rows(audit: TaskAudit) -> Table:
    right = ["rows", "repeated", "near", "conflicts", "ceiling", "ambiguous"]
    table = titled("Rows, and what repeats among them", ["split"], right)
    for split in audit.splits:
        repeated = (str(split.exact.duplicates), str(split.near.duplicates))
        conflicts = (str(split.exact.conflicts), percent(split.exact.ceiling, 2))
        table.add_row(split.split, str(split.rows), *repeated, *conflicts, str(split.ambiguous))
    return table


def _lengths(audit: TaskAudit) -> Table:
    unit = "Tokens a sentence" if audit.kind == "token" else "Words a text"
    table = titled(unit, ["split"], ["mean", "median", "95 %", "max", "all", "non-ASCII rows"])
    for split in audit.splits:
        found = split.lengths
        cells: tuple[str, ...] = (f"{found.mean:.1f}", f"{found.median:g}", f"{found.p95:g}")
        cells += (str(found.max), str(found.total), str(split.non_ascii))
        table.add_row(split.split, *cells)
    return table


def _classes(audit: TaskAudit) -> Table:
    token = audit.kind == "token"
    names = [split.split for split in audit.splits]
    table = titled("Mentions" if token else "Labels", ["type" if token else "label"], names)
    for label in audit.splits[0].classes:
        table.add_row(Text(label), *(_share(split, label) for split in audit.splits))
    mentions = [split.mentions for split in audit.splits if split.mentions is not None]
    if mentions:
        table.add_section()
        table.add_row("sentences without", *(str(found.without) for found in mentions))
        table.add_row("distinct mentions", *(str(found.distinct) for found in mentions))
        table.add_row("of these in train", *(str(found.known) for found in mentions))
    return table


def _share(split: SplitAudit, label: str) -> str:
    count, total = split.classes[label], sum(split.classes.values())
    return f"{count} ({100 * count / total:4.1f} %)" if total else "0"


def _overlaps(overlaps: Sequence[Overlap]) -> Table:
    right = ["texts", "rows", "relabelled", "near texts", "near rows"]
    table = titled("Texts of one split that occur in another", ["of", "in"], right)
    for one in overlaps:
        exact = (str(one.exact.texts), str(one.exact.rows), str(one.exact.different))
        table.add_row(one.of, one.within, *exact, str(one.near.texts), str(one.near.rows))
    return table


def _others(others: Sequence[OtherTask]) -> Table:
    right = ["test in its train", "its test in train", "in both"]
    table = titled("Rows shared with other tasks (near-duplicates)", ["task"], right)
    for other in others:
        counts = (other.test_in_its_train, other.its_test_in_train, other.rows)
        cells = [DASH if count is None else str(count) for count in counts]
        table.add_row(Text(other.task), *cells)
    return table


def _findings(audit: TaskAudit) -> Iterator[Text]:
    """One sentence for each finding; the definitions last."""
    found = [*_ceilings(audit), *_leaks(audit), *_shared(audit)]
    for line in found or ["Nothing repeats across splits, and no text has two labels."]:
        yield Text(f"- {line}")
    what = "sequence of tags" if audit.kind == "token" else "label"
    yield Text(
        "Repeated: the same text up to case and spacing; near: also up to punctuation. "
        f"Conflicts: texts with more than one {what}. Ceiling: share of rows, in %, that one "
        f"answer a text can get right. Ambiguous: rows whose text has more than one {what} in "
        f"all splits together. Relabelled: shared texts with another {what} in the other split.",
        style="dim",
    )


def _ceilings(audit: TaskAudit) -> Iterator[str]:
    for split in audit.splits:
        conflicts, ceiling = split.exact.conflicts, split.exact.ceiling
        if split.unlabelled:
            yield f"{split.split} rows without gold label: {split.unlabelled}."
        if ceiling is None:
            continue
        if split.split == "train" and conflicts:
            yield (
                f"train texts with several labels: {conflicts}; with one answer a text at least "
                f"{percent(1 - ceiling, 2)} % of train is wrong."
            )
        if split.split == "test" and conflicts:
            unit = "sentences" if audit.kind == "token" else "rows"
            yield (
                f"test texts with several labels: {conflicts}; no classifier with one answer a "
                f"text gets more than {percent(ceiling, 2)} % of test {unit} right."
            )


def _leaks(audit: TaskAudit) -> Iterator[str]:
    for one in audit.overlaps:
        if (one.of, one.within) == ("test", "train") and one.near.rows:
            yield (
                f"test texts that occur in train, near ones included: {one.near.texts} (in "
                f"{one.near.rows} of the rows), with other labels {one.near.different}; --set "
                "without_leaked=true also scores without them."
            )


def _shared(audit: TaskAudit) -> Iterator[str]:
    names = [
        f"{other.task} ({count})"
        for other in audit.others
        if (count := (other.test_in_its_train or 0) + (other.its_test_in_train or 0))
    ]
    if names:
        yield (
            f"test rows of one task are train rows of the other: {', '.join(names)}. Do not train "
            "on one and test on the other."
        )
