"""Figures of one run: labels, confusions, losses, moves, abstentions, demonstrations, confidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from harness.data import ABSTAINED, BoolArray, FloatArray, IntArray
from harness.report.page.figure import Figure, table
from harness.report.page.inside import Inside, Said
from harness.report.page.markup import Html, element, joined
from harness.report.page.row_charts import pairs_chart, parts_chart
from harness.report.page.spelled import spelled
from harness.report.page.xy_charts import histogram_chart, reliability_chart

LABELS = 20
"""Rows of a chart of labels, and of a confusion matrix."""
BINS = 10
DEMONSTRATIONS = 100
REASONS = 12
MOVES = ("became right", "stayed right", "stayed wrong", "became wrong")
AGREEMENT = ("both right", "student alone", "annotator alone", "both wrong")


def inner_figures(inside: Inside) -> Iterator[Figure]:
    """All figures for which the run has the numbers."""
    if inside.run.result.stages[-1].transductive is not None:
        yield _per_label(inside)
    if inside.scored:
        yield _who_is_right(inside)
        for said in (inside.first_annotator, inside.last_student):
            yield _confusion(inside, said)
        yield from _moves(inside)
        yield from _reliability(inside)
    yield from _losses(inside)
    yield from _abstentions(inside)
    yield from _demonstrations(inside)


# --- labels ------------------------------------------------------------------------------


def _per_label(inside: Inside) -> Figure:
    stages = inside.run.result.stages
    first, last = stages[0], stages[-1]
    said = [stage.transductive for stage in (first, last)]
    names = [label.name for label in inside.card.labels]
    scores = [{} if one is None else one.per_label for one in said]
    rows = [
        (name, *(one[name].f1 if name in one else None for one in scores), scores[1][name].support)
        for name in names
        if name in scores[1]
    ]
    rows.sort(key=lambda row: -row[3])
    title = "F1 of each label in the pool, %"
    left = len(rows) - LABELS
    drawn = [(name, f"{n:,} examples", a, b) for name, a, b, n in rows[:LABELS]]
    return Figure(
        "labels",
        title,
        f"Circles: annotator, {first.stage}. Squares: student, {last.stage}."
        + (f" {left} rarer labels are in the data." if left > 0 else ""),
        pairs_chart(drawn, title=title, across="F1, %"),
        ("label", f"F1 {first.stage}", f"F1 {last.stage}", "examples"),
        rows,
    )


def _who_is_right(inside: Inside) -> Figure:
    first, last = inside.first_annotator, inside.last_student
    a, b, known = inside.right(first), inside.right(last), inside.gold.known
    groups = _gold_groups(inside)
    counts = [a & b, ~a & b, a & ~b, ~a & ~b]
    rows = []
    for name, of in groups:
        rows.append(
            (
                name,
                {
                    part: int((of & known & c).sum())
                    for part, c in zip(AGREEMENT, counts, strict=True)
                },
            )
        )
    rows.sort(key=lambda row: -sum(row[1].values()))
    title = f"Who is right: annotator ({first.stage}) and student ({last.stage})"
    left = len(rows) - LABELS
    return Figure(
        "who-is-right",
        title,
        f"Examples of the pool by gold {'label' if inside.card.kind == 'sequence' else 'entity type'}."
        + (f" {left} rarer ones are in the data." if left > 0 else ""),
        parts_chart(rows[:LABELS], AGREEMENT, title=title),
        ("gold", *AGREEMENT),
        [(name, *of.values()) for name, of in rows],
    )


def _gold_groups(inside: Inside) -> list[tuple[str, BoolArray]]:
    """Names of gold labels, and which examples have them; token tasks: sentences with a type."""
    labels, offsets = inside.gold.labels, inside.gold.offsets
    if inside.card.kind == "sequence":
        return [(label.name, labels == k) for k, label in enumerate(inside.card.labels)]
    found = []
    for k, label in enumerate(inside.card.labels):
        there = np.add.reduceat((labels == 2 * k + 1).astype(np.int64), offsets[:-1]) > 0
        found.append((label.name, there))
    return [*found, ("none", ~np.logical_or.reduce([there for _, there in found]))]


def _confusion(inside: Inside, said: Said) -> Figure:
    """Counts of gold labels by what a stage said of them; token tasks: of tokens."""
    names = [label.name for label in inside.card.labels]
    gold, mine = inside.gold.labels, said.labels
    unit = "examples"
    if inside.card.kind == "token":
        names, unit = ["O", *names], "tokens"
        gold, mine = ((np.where(one > 0, (one + 1) // 2, one)) for one in (gold, mine))
    known = gold != ABSTAINED
    size = len(names)
    mine = np.where(mine == ABSTAINED, size, mine)
    counts = np.bincount(gold[known] * (size + 1) + mine[known], minlength=size * (size + 1))
    counts = counts.reshape(size, size + 1)
    title = f"Gold and {said.actor} ({said.stage}), {unit} of the pool"
    columns = [*names, "abstained"]
    shown = np.argsort(-counts.sum(axis=1), kind="stable")[:LABELS]
    left = size - len(shown)
    return Figure(
        f"confusion-{said.stage}",
        title,
        "Rows: gold. Columns: what it said. The darker, the larger the share of the row."
        + (f" The {left} rarest labels are in the data." if left > 0 else ""),
        _matrix(counts, columns, shown.tolist(), title),
        ("gold", "said", unit),
        [(names[i], columns[j], int(counts[i, j])) for i, j in np.argwhere(counts).tolist()],
    )


def _matrix(counts: IntArray, columns: Sequence[str], shown: Sequence[int], title: str) -> Html:
    last = len(columns) - 1
    places = [*shown, *([last] if counts[:, last].any() else [])]
    head = element("tr", element("th", "gold", scope="col"),
                   *(element("th", element("span", columns[j]), scope="col") for j in places))  # fmt: skip
    body = []
    for i in shown:
        every = max(1, int(counts[i].sum()))
        cells = [
            element(
                "td",
                f"{int(counts[i, j]):,}" if counts[i, j] else "·",
                class_="right" if i == j else "wrong",
                style=f"--share:{counts[i, j] / every:.2f}",
            )
            for j in places
        ]
        body.append(element("tr", element("th", columns[i], scope="row"), *cells))
    matrix = element("table", element("thead", head), element("tbody", *body), class_="matrix")
    return element("div", matrix, class_="scroll", role="region", aria_label=title, tabindex=0)


# --- from stage to stage -----------------------------------------------------------------


def _moves(inside: Inside) -> Iterator[Figure]:
    rows = []
    for before, after in pairwise(inside.said):
        a, b, known = inside.right(before), inside.right(after), inside.gold.known
        counts = [~a & b, a & b, ~a & ~b, a & ~b]
        found = {part: int((c & known).sum()) for part, c in zip(MOVES, counts, strict=True)}
        changed = _changed(inside, before, after)
        rows.append((f"{before.stage} to {after.stage}", found, int(changed.sum())))
    if not rows:
        return
    title = "How labels moved from stage to stage"
    yield Figure(
        "moves",
        title,
        "Examples of the pool with gold, right or wrong before and after.",
        parts_chart([(name, of) for name, of, _ in rows], MOVES, title=title),
        ("stages", *MOVES, "changed label"),
        [(name, *of.values(), changed) for name, of, changed in rows],
    )


def _changed(inside: Inside, before: Said, after: Said) -> BoolArray:
    differs = (before.labels != after.labels).astype(np.int64)
    return np.asarray(np.add.reduceat(differs, inside.pool.offsets[:-1]) > 0)


# --- what the selector saw ---------------------------------------------------------------


def _losses(inside: Inside) -> Iterator[Figure]:
    losses = inside.last.seen.losses
    answered = ~np.isnan(losses)
    if not answered.any():
        return
    kept = np.minimum(losses, np.quantile(losses[answered], 0.99))
    edges = np.linspace(0, max(float(kept[answered].max()), 1e-6), 25)
    labels = inside.said[-2]
    right = inside.right(labels) if inside.scored else np.ones(len(losses), dtype=np.bool_)
    known = inside.gold.known if inside.scored else answered
    for name, of in (("trusted", inside.last.trusted), ("not trusted", ~inside.last.trusted)):
        counts = [
            np.histogram(kept[answered & of & known & c], edges)[0].tolist()
            for c in (right, ~right)
        ]
        if not sum(map(sum, counts)):
            continue
        title = f"Losses of labels that are {name}"
        yield Figure(
            f"losses-{name.replace(' ', '-')}",
            title,
            f"The student’s cross-entropy of the labels of {labels.stage}; the largest 1 % are in the last bar. "
            + ("Blue: right. Orange: wrong." if inside.scored else "Which are right is not known."),
            histogram_chart(edges.tolist(), *counts, title=title, across="loss, nats"),
            ("from", "to", "right" if inside.scored else "labels", "wrong"),
            list(zip(edges[:-1].tolist(), edges[1:].tolist(), *counts, strict=True)),
        )


def _abstentions(inside: Inside) -> Iterator[Figure]:
    rows: list[tuple[str, dict[str, int]]] = []
    stages = [one.stage for one in inside.said if one.actor == "annotator"]
    found = {
        stage: Counter(
            of.annotations.reasons[row] or "no reason given"
            for row in np.flatnonzero(~of.annotations.answered).tolist()
        )
        for stage, of in zip(stages, inside.rounds, strict=True)
    }
    total = sum(found.values(), Counter())
    if not total:
        return
    title = "Abstentions by reason"
    rows = [(reason, {s: found[s][reason] for s in stages}) for reason, _ in total.most_common()]
    left = len(rows) - REASONS
    yield Figure(
        "abstentions",
        title,
        "Examples of the pool without a label, after each of the annotator’s stages."
        + (f" {left} rarer reasons are in the data." if left > 0 else ""),
        parts_chart(rows[:REASONS], stages[:5], title=title),
        ("reason", *stages),
        [(reason, *of.values()) for reason, of in rows],
    )


def _demonstrations(inside: Inside) -> Iterator[Figure]:
    for round_, of in enumerate(inside.rounds):
        chosen = of.demonstrations.tolist()
        if not chosen:
            continue
        view = [(inside.pool.ids[row], inside.pool.texts[row], spelled(inside, of.view.predictions, row),
                 _known(inside, row)) for row in chosen]  # fmt: skip
        columns = ("id", "text", "label", "gold")
        title = f"Demonstrations chosen in round {round_ + 1}"
        stage = inside.run.result.stages[2 * round_ + 1]
        share = stage.selection.demonstrations_accuracy if stage.selection else None
        said = "" if share is None else f" {100 * share:.1f} % of their labels are right."
        left = len(view) - DEMONSTRATIONS
        yield Figure(
            f"demonstrations-{round_ + 1}",
            title,
            f"{len(chosen)} examples with a trusted label.{said}"
            + (f" {left} more are in the data." if left > 0 else ""),
            table(columns[1:], [row[1:] for row in view[:DEMONSTRATIONS]], name=title),
            columns,
            view,
            wide=True,
        )


def _known(inside: Inside, row: int) -> str | None:
    return spelled(inside, inside.gold.labels, row)


# --- confidence --------------------------------------------------------------------------


def _reliability(inside: Inside) -> Iterator[Figure]:
    annotator, student = inside.first_annotator, inside.last_student
    first = inside.rounds[0].annotations
    yield from _calibration(inside, student, inside.last.seen.student_confidence)
    if not np.isnan(first.confidence).all():
        yield from _calibration(inside, annotator, first.confidence)


def _calibration(inside: Inside, said: Said, confidence: FloatArray) -> Iterator[Figure]:
    right = inside.right(said)
    usable = inside.gold.known & ~np.isnan(confidence)
    bins = np.minimum((confidence[usable] * BINS).astype(np.int64), BINS - 1)
    rows = []
    for k in np.unique(bins).tolist():
        of = bins == k
        rows.append(
            (float(confidence[usable][of].mean()), float(right[usable][of].mean()), int(of.sum()))
        )
    n = max(1, int(usable.sum()))
    error = sum(abs(sure - good) * count for sure, good, count in rows) / n
    title = f"Confidence of the {said.actor} ({said.stage}), share right, %"
    yield Figure(
        f"confidence-{said.stage}",
        title,
        f"On the line, confidence is what it says. Expected calibration error {100 * error:.1f} "
        "points. Grey: how many examples have this confidence.",
        reliability_chart(
            [(a, b, c / n) for a, b, c in rows], title=title, square=said.actor == "student"
        ),
        ("confidence", "right", "examples"),
        rows,
    )
