"""Figures of one run about its rounds: confidence, losses, abstentions, demonstrations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from harness.data import ABSTAINED, BoolArray, FloatArray
from harness.record import layout
from harness.report.charts.figure import Figure, beyond, table
from harness.report.charts.row_charts import parts_chart
from harness.report.charts.xy_charts import histogram_chart, reliability_chart
from harness.report.page.inside import Inside, Said

BINS = 10
"""Of confidence."""
BARS = 24
"""Of losses."""
MOST = 0.99
"""Losses above this quantile are drawn in the last bar."""
VERBS = {
    "trusted": "are trusted",
    "not trusted": "are not trusted",
    "clean": "training took for right (the mixture’s clean part)",
    "not clean": "training did not take for right (filtered by the mixture, or left out by "
    "student.agreement)",
}
"""Groups of labels, and what is said of them."""
SHOWN, REASONS = 50, 12
"""Demonstrations, and reasons of a stage, that the page has."""


def round_figures(inside: Inside) -> Iterator[Figure]:
    """Those for which the run has the numbers."""
    if inside.scored:
        yield from _reliability(inside)
    yield from _losses(inside)
    yield from _abstentions(inside)
    yield from _demonstrations(inside)


def _reliability(inside: Inside) -> Iterator[Figure]:
    first = inside.rounds[0].annotations
    yield _calibration(inside, inside.last_student, inside.last.seen.student_confidence)
    if not np.isnan(first.confidence[inside.gold.known]).all():
        yield _calibration(inside, inside.first_annotator, first.confidence)


def _calibration(inside: Inside, said: Said, confidence: FloatArray) -> Figure:
    usable = inside.gold.known & ~np.isnan(confidence)
    sure, right = confidence[usable], inside.right(said)[usable]
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    rows = [
        (float(sure[bins == k].mean()), float(right[bins == k].mean()), int((bins == k).sum()))
        for k in np.unique(bins).tolist()
    ]
    error = sum(abs(one - good) * n for one, good, n in rows) / len(sure)
    points = [(one, good, n / len(sure)) for one, good, n in rows]
    return Figure(
        f"confidence-{said.stage}",
        f"Confidence of the {said.actor} ({said.stage}): share right, %",
        "On the line, confidence is what it says. Expected calibration error: "
        f"{100 * error:.1f} points. Grey: how many have this confidence.",
        reliability_chart(points, square=said.actor == "student"),
        ("confidence", "right", "examples"),
        rows,
    )


def _losses(inside: Inside) -> Iterator[Figure]:
    """The losses of the last round's labels: by the selector, and by the student's training."""
    trusted, clean = inside.last.trusted, inside.last.view.clean
    groups = {"trusted": trusted, "not trusted": ~trusted}
    said, gold = inside.said[-2], inside.gold
    yield from _histograms(inside, groups, inside.last.seen.losses, inside.right(said), gold.known)
    if clean is not None:  # of each unit, as the mixture splits them
        losses = inside.last.view.losses(inside.last.annotations)
        groups = {"clean": clean, "not clean": ~clean}
        right = said.labels == gold.labels
        yield from _histograms(inside, groups, losses, right, gold.labels != ABSTAINED)


def _histograms(
    inside: Inside,
    groups: Mapping[str, BoolArray],
    losses: FloatArray,
    right: BoolArray,
    has_gold: BoolArray,
) -> Iterator[Figure]:
    """One for each group of labels, those that are right apart from the others."""
    known = ~np.isnan(losses) & (has_gold | (not inside.scored))
    if not known.any():
        return
    right = right | (not inside.scored)
    kept = np.minimum(losses, np.quantile(losses[known], MOST))
    edges = np.linspace(0, max(float(kept[known].max()), 1e-6), BARS + 1)
    for name, of in groups.items():
        if not (known & of).any():
            continue
        good, bad = (_counted(kept, known & of & one, edges) for one in (right, ~right))
        unit = "tokens’ labels" if len(of) > len(inside.pool) else "labels"
        yield Figure(
            f"losses-{name.replace(' ', '-')}",
            f"Losses of {unit} that {VERBS[name]}",
            f"The student’s cross-entropy of the labels of {inside.said[-2].stage}. "
            + ("Blue: right. Orange: wrong." if inside.scored else "Which are right is not known."),
            histogram_chart(edges.tolist(), good, bad, across="loss, nats"),
            ("from", "to", "right" if inside.scored else "labels", "wrong"),
            list(zip(edges[:-1].tolist(), edges[1:].tolist(), good, bad, strict=True)),
        )


def _counted(values: FloatArray, of: BoolArray, edges: FloatArray) -> list[int]:
    return [int(n) for n in np.histogram(values[of], edges)[0]]


def _abstentions(inside: Inside) -> Iterator[Figure]:
    stages = [one.stage for one in inside.said if one.actor == "annotator"]
    rows = []
    for stage, of in zip(stages, inside.rounds, strict=True):
        without = np.flatnonzero(~of.annotations.answered).tolist()
        reasons = Counter(of.annotations.reasons[row] or "no reason" for row in without)
        rows += [(stage, reason, count) for reason, count in reasons.most_common()]
    if not rows:
        return
    drawn = [(f"{stage}: {reason}", {"examples": count}) for stage, reason, count in rows]
    yield Figure(
        "abstentions",
        "Abstentions by reason",
        "Examples of the pool without a label after each of the annotator’s stages."
        + beyond(rows, REASONS, "rarer reasons"),
        parts_chart(drawn[:REASONS], {"examples": "rest"}),
        ("stage", "reason", "examples"),
        rows,
    )


def _demonstrations(inside: Inside) -> Iterator[Figure]:
    """Of the last round that chose any."""
    chosen = [(k, of) for k, of in enumerate(inside.rounds) if len(of.demonstrations)]
    for round_, of in chosen[-1:]:
        rows = [
            (
                inside.pool.ids[row],
                inside.text(row),
                inside.spelled(of.view.predictions, row),
                inside.spelled(inside.gold.labels, row),
            )
            for row in of.demonstrations.tolist()
        ]
        selection = inside.run.stage(layout.student_stage(round_)).selection
        share = selection.demonstrations_accuracy if selection else None
        title = f"Demonstrations chosen in round {round_ + 1}"
        yield Figure(
            f"demonstrations-{round_ + 1}",
            title,
            f"{len(rows)} examples with a trusted label."
            + ("" if share is None else f" {100 * share:.1f} % of these labels are right.")
            + beyond(rows, SHOWN, "more"),
            table(("text", "label", "gold"), [row[1:] for row in rows[:SHOWN]], name=title),
            ("id", "text", "label", "gold"),
            rows,
            wide=True,
        )
