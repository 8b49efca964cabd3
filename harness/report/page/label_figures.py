"""Figures of one run about its labels: how good each is, who is right, what is taken for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from harness.data import ABSTAINED, BoolArray, IntArray
from harness.report.charts.figure import Figure, beyond, table
from harness.report.charts.markup import Html, element
from harness.report.charts.row_charts import pairs_chart, parts_chart
from harness.report.page.inside import Inside, Said

LABELS = 20
"""Rows of a chart of labels, and of a confusion matrix."""
MOVES = {"stayed right": "sky", "became right": "blue", "became wrong": "orange",
         "stayed wrong": "rest"}  # fmt: skip
AGREEMENT = {"both right": "sky", "student alone": "blue", "annotator alone": "orange",
             "both wrong": "rest"}  # fmt: skip


def label_figures(inside: Inside) -> Iterator[Figure]:
    """Those for which gold labels are known."""
    if inside.run.result.stages[-1].transductive is not None:
        yield _per_label(inside)
    if inside.scored:
        yield _who_is_right(inside)
        for said in (inside.first_annotator, inside.last_student):
            yield _confusion(inside, said)
        yield _moves(inside)


def _per_label(inside: Inside) -> Figure:
    stages = inside.run.result.stages
    first, last = stages[0], stages[-1]
    before, after = (
        {} if one.transductive is None else one.transductive.per_label for one in (first, last)
    )
    rows = [
        (name, before[name].f1 if name in before else None, one.f1, one.support)
        for name, one in sorted(after.items(), key=lambda pair: -pair[1].support)
    ]
    unit = "examples" if inside.card.kind == "sequence" else "entities"
    drawn = [(name, f"{n:,} {unit}", a, b) for name, a, b, n in rows[:LABELS]]
    return Figure(
        "labels",
        "F1 of each label in the pool, %",
        f"Circles: annotator, {first.stage}. Squares: student, {last.stage}."
        + beyond(rows, LABELS, "rarer labels"),
        pairs_chart(drawn, across="F1, %"),
        ("label", f"F1 {first.stage}", f"F1 {last.stage}", unit),
        rows,
    )


def _who_is_right(inside: Inside) -> Figure:
    first, last = inside.first_annotator, inside.last_student
    rows = [(name, _parts(inside, first, last, of)) for name, of in _gold_groups(inside)]
    rows.sort(key=lambda row: -sum(row[1]))
    gold = "label" if inside.card.kind == "sequence" else "entity type"
    return Figure(
        "who-is-right",
        f"Who is right: annotator ({first.stage}), student ({last.stage})",
        f"Examples of the pool by gold {gold}." + beyond(rows, LABELS, "rarer ones"),
        _drawn(rows[:LABELS], AGREEMENT),
        ("gold", *AGREEMENT),
        [(name, *of) for name, of in rows],
    )


def _moves(inside: Inside) -> Figure:
    steps = list(pairwise(inside.said))
    rows = [(f"{a.stage} to {b.stage}", _parts(inside, a, b, inside.gold.known)) for a, b in steps]
    changed = [int(_changed(inside, a, b).sum()) for a, b in steps]
    return Figure(
        "moves",
        "How labels moved from stage to stage",
        "Examples of the pool with gold. Orange: what a stage spoilt.",
        _drawn(rows, MOVES),
        ("stages", *MOVES, "changed label"),
        [(name, *of, n) for (name, of), n in zip(rows, changed, strict=True)],
    )


def _parts(inside: Inside, first: Said, last: Said, of: BoolArray) -> list[int]:
    """How many are right in both, in the last, in the first, in none."""
    a, b, of = inside.right(first), inside.right(last), of & inside.gold.known
    return [int((one & of).sum()) for one in (a & b, ~a & b, a & ~b, ~a & ~b)]


def _drawn(rows: Sequence[tuple[str, Sequence[int]]], parts: Mapping[str, str]) -> Html:
    named = [(name, dict(zip(parts, of, strict=True))) for name, of in rows]
    return parts_chart(named, parts)


def _changed(inside: Inside, before: Said, after: Said) -> BoolArray:
    differs = (before.labels != after.labels).astype(np.int64)
    return np.asarray(np.add.reduceat(differs, inside.pool.offsets[:-1]) > 0)


def _gold_groups(inside: Inside) -> list[tuple[str, BoolArray]]:
    """Gold labels, and which examples have them; token tasks: the types in a sentence."""
    labels, offsets = inside.gold.labels, inside.gold.offsets
    names = [label.name for label in inside.card.labels]
    if inside.card.kind == "sequence":
        return [(name, labels == k) for k, name in enumerate(names)]
    there = [
        np.add.reduceat((labels == 2 * k + 1).astype(np.int64), offsets[:-1]) > 0
        for k in range(len(names))
    ]
    return [*zip(names, there, strict=True), ("none", ~np.logical_or.reduce(there))]


def _confusion(inside: Inside, said: Said) -> Figure:
    """Counts of gold labels by what a stage said of them; token tasks: of tokens."""
    names, unit = [label.name for label in inside.card.labels], "examples"
    gold, mine = inside.gold.labels, said.labels
    if inside.card.kind == "token":  # the type of each token, or O
        names, unit = ["O", *names], "tokens"
        gold, mine = (np.where(one > 0, (one + 1) // 2, one) for one in (gold, mine))
    size = len(names)
    known = gold != ABSTAINED
    said_of = np.where(mine == ABSTAINED, size, mine)
    pairs = (gold.astype(np.int64) * (size + 1) + said_of)[known]
    counts = np.bincount(pairs, minlength=size * (size + 1)).reshape(size, size + 1)
    shown = np.argsort(-counts.sum(axis=1), kind="stable")[:LABELS].tolist()
    title = f"Gold and {said.actor} ({said.stage}), {unit} of the pool"
    columns = [*names, "abstained"]
    return Figure(
        f"confusion-{said.stage}",
        title,
        "Rows: gold. Columns: what it said. Colour: the share of the row."
        + beyond(names, LABELS, "rarer labels"),
        _matrix(counts, columns, shown, title),
        ("gold", "said", unit),
        [(names[i], columns[j], int(counts[i, j])) for i, j in np.argwhere(counts).tolist()],
    )


def _matrix(counts: IntArray, columns: Sequence[str], shown: Sequence[int], title: str) -> Html:
    last = len(columns) - 1
    places = [*shown, *([last] if counts[:, last].any() else [])]
    heads = [element("th", element("span", columns[j]), scope="col") for j in places]
    body = [
        [
            element("th", columns[i], scope="row"),
            *(
                element(
                    "td",
                    f"{int(counts[i, j]):,}" if counts[i, j] else "·",
                    class_="right" if i == j else "wrong",
                    style=f"--share:{counts[i, j] / max(1, int(counts[i].sum())):.2f}",
                )
                for j in places
            ),
        ]
        for i in shown
    ]
    return table([element("td", "gold"), *heads], body, name=title, kind="matrix")
