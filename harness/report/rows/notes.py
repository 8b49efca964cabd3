"""What a reader of a table must know of its rows: marks, sizes, tests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from harness.report.differences import Records
from harness.report.measures import SHARE_UNIT, Measure
from harness.report.rows.entries import Entry
from harness.report.tables import LEVEL, MARKS, Table
from harness.results import StageResult

LEAST = 0.05
"""An annotator that answers less of a split was never asked about it: its score is no score."""
NOT_RECORDED = (
    "answers_usd: runs of earlier versions record only what they paid; replies that another run "
    "had bought count as 0 there"
)


def marks_of(entries: Sequence[Entry], shown: Measure) -> tuple[str, ...]:
    """The marks of a row's runs, in the order of ``MARKS``."""
    found = {
        "supervised": any(entry.supervised for entry in entries),
        "limited": any(_limited(entry) for entry in entries),
        "leaked": shown.name == "test" and any(entry.leaked for entry in entries),
        "other code": any(entry.other_code for entry in entries),
        "stopped": any(entry.state != "finished" for entry in entries),
    }
    return tuple(name for name in MARKS if found.get(name))


def _limited(entry: Entry) -> bool:
    limit = entry.keys.get("limit", "None")
    sizes = {one.n for one in entry.stages} | {
        one.inductive.n for one in entry.stages if one.inductive is not None
    }
    return limit.isdecimal() and int(limit) in sizes


def coverage(stage: StageResult, shown: Measure) -> float | None:
    """The share of a split that an annotator answered, as its scores tell; None: not known.

    Exact of accuracy; of F1 the share of mentions that the answered sentences hold or got.
    """
    score = shown.of(stage)
    if score is None or stage.actor != "annotator" or shown.name == "pool":
        return None
    if score.answered is None:
        return 0.0
    return score.score / score.answered if score.answered else None


def no_answers(stage: StageResult, shown: Measure) -> bool:
    """Whether an annotator has answers for next to nothing of the split."""
    found = coverage(stage, shown)
    return found is not None and found < LEAST


def notes_of(
    table: Table,
    entries: Sequence[Entry],
    shown: Measure,
    baseline: str | None,
    stage: str | None,
    stages: Collection[str],
) -> tuple[str, ...]:
    """The lines below a table; ``stages``: those that are wanted, empty: all."""
    return (
        *_sizes(table, entries, shown, stage),
        *legend(table),
        *_compared(table, baseline),
        *_annotated(entries, table),
        *_mixed(table, entries, shown),
        *_uncovered(entries, shown, stages),
        *((NOT_RECORDED,) if shown.name == "answers_usd" and _unpriced(entries) else ()),
    )


def _unpriced(entries: Sequence[Entry]) -> bool:
    return any(one.answers_usd is None for entry in entries for one in entry.stages)


def legend(table: Table) -> Iterator[str]:
    """What the signs of a table's rows mean."""
    used = {mark for of in table.marks for mark in of}
    for name, (sign, text) in MARKS.items():
        if name in used and name != "published":
            yield f"{sign} {text}"


def _sizes(
    table: Table, entries: Sequence[Entry], shown: Measure, stage: str | None
) -> Iterator[str]:
    seeds = sorted({entry.seed for entry in entries})
    many = any(cell is not None and cell.n > 1 for _, cells in table.rows for cell in cells)
    said = f"{'mean ± sample deviation of ' if many else ''}{_range(seeds)}"
    if table.by != "stage":
        said = f"stage {stage or 'the last'}; {said}"
    sizes: dict[str, set[int]] = {}
    for entry in entries:
        if n := _examples(entry, shown):
            sizes.setdefault(entry.task, set()).add(n)
    if sizes:
        said += f"; {shown.name.partition('_')[0]} examples: " + _by_task(sizes)
    yield said
    if not table.columns:
        yield f"none of these runs has a value of {shown.name}"


def _examples(entry: Entry, shown: Measure) -> int | None:
    """How many examples the last stage that has the score was scored on; None: not recorded."""
    scored = [one for one in entry.stages if shown.of(one) is not None]
    if not scored:
        return None
    score = shown.of(scored[-1])
    if score is not None and score.n is not None:
        return score.n
    if shown.name == "pool":
        return scored[-1].n
    found = Records().of(entry.folder, scored[-1].stage).get(shown.split)
    return None if found is None else len(found.rows)


def _range(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]}–{seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"


def _by_task(sizes: dict[str, set[int]]) -> str:
    texts = {task: " or ".join(f"{n:,}" for n in sorted(of)) for task, of in sizes.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{task} {text}" for task, text in sorted(texts.items()))


def _compared(table: Table, baseline: str | None) -> Iterator[str]:
    if baseline is None or not table.compared:
        return
    found = [cell.difference for _, cells in table.rows for cell in cells if cell]
    by_example = any(one is not None and one.examples for one in found)
    test = "example and seed" if by_example else "seed"
    several = any(one is not None and one.n > 1 for one in found)
    name = (
        "t-test over seeds" if not by_example
        else "t-test over seeds and examples" if several
        else "permutation test over examples"
    )  # fmt: skip
    shorter, less = _shorter(table), f"Δ: less {baseline!r}"
    if False in shorter:
        less = f"Δ: each row's last stage less that of {baseline!r}"
    if True in shorter:
        less += " (stopped: less the same stage)"
    yield (
        f"{less}, paired by {test}, with its 95 % interval; bold: p < {LEVEL} "
        f"({name}, Holm over the table)"
    )


def _shorter(table: Table) -> set[bool]:
    """Of rows that have values of fewer stages than others: whether they are stopped."""
    rows = zip(table.rows, table.marks, strict=True) if table.by == "stage" else ()
    return {"stopped" in marks for (_, cells), marks in rows if any(cells) and not cells[-1]}


def _annotated(entries: Sequence[Entry], table: Table) -> Iterator[str]:
    """The shares of the pool whose labels were asked for, where they are not the whole."""
    if all(one.unlabelled == 0 for entry in entries for one in entry.stages):
        return
    shares: dict[str, set[int]] = {}
    for entry in entries:
        for one in entry.stages:
            share = round(100 * (1 - one.unlabelled / one.n))
            shares.setdefault(one.stage, set()).add(share)
    shown = [stage for stage in table.columns if stage in shares] or sorted(shares)
    said = (f"{stage} {' / '.join(map(str, sorted(shares[stage])))} %" for stage in shown)
    yield f"share of the pool that was annotated: {', '.join(said)}"


def _mixed(table: Table, entries: Sequence[Entry], shown: Measure) -> Iterator[str]:
    """Which annotator's stages that are shown have labels of the student among the pool's."""
    if shown.name not in ("pool", "answered", "random_label"):
        return
    found = sorted(
        {
            one.stage
            for entry in entries
            for one in entry.stages
            if one.actor == "annotator" and one.round and one.annotated < one.n
            if table.by != "stage" or one.stage in table.columns
        },
        key=lambda name: int(name.removeprefix("R")),
    )
    if found:
        yield (
            f"{', '.join(found)} on the pool: labels that were trusted and not asked for again "
            "are the student's"
        )


def _uncovered(entries: Sequence[Entry], shown: Measure, stages: Collection[str]) -> Iterator[str]:
    found: dict[str, float] = {}
    for entry in entries:
        for one in entry.stages:
            if shown.unit == SHARE_UNIT and no_answers(one, shown):
                share = coverage(one, shown) or 0.0
                found[one.stage] = max(share, found.get(one.stage, 0.0))
    for stage, share in found.items():
        if not stages or stage in stages:
            said = f"the annotator has answers for {100 * share:.1f} % of {shown.name}"
            yield f"{stage}: – where {said}"
