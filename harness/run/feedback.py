"""From the student's view to the next round: evidence, labels, demonstrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.data import (
    ABSTAINED,
    OUTSIDE,
    Annotations,
    Demonstrations,
    FloatArray,
    IntArray,
    Pool,
    Selection,
    StudentView,
    TaskCard,
    merge,
    take_units,
)
from harness.protocols import DemonstrationSelector, Evidence
from harness.run.contracts import check_assigned
from harness.stats.combined import combined_labels

TARGETS = 65_536
"""Rows whose embeddings are copied at a time to find demonstrations for them."""


@dataclass(frozen=True, slots=True, eq=False)
class Feedback:
    """What a round leaves for the next one: labels, selection, and views with their hashes.

    In ``annotations`` the trusted rows have the student's label in place of the annotator's.
    ``times``, int64 ``[n]``: how often the annotator was asked about each example so far.
    """

    annotations: Annotations
    views: Mapping[str, StudentView]
    selection: Selection
    times: IntArray
    digests: Mapping[str, str] = field(default_factory=dict)

    def decides(self, split: str) -> Sequence[object]:
        """What decides the annotations of a split in the next round."""
        requested = self.selection.requested if split == "train" else None
        views = self.digests["train"], self.digests[split]
        return self.annotations, self.selection.demonstrations, requested, *views

    def requested(self, pool: Pool) -> IntArray:
        """Rows of a pool to annotate now: the requested ones, or all of another split."""
        if pool.split == "train":
            return self.selection.requested
        return np.arange(len(pool), dtype=np.int64)

    def demonstrations(
        self,
        train: Pool,
        target: Pool,
        task: TaskCard,
        selector: DemonstrationSelector,
        rng: np.random.Generator,
    ) -> Demonstrations | None:
        """The trusted examples to show for the requested rows of ``target``; None if none."""
        chosen = self.selection.demonstrations
        if len(chosen) == 0:
            return None
        labels, offsets = take_units(self.annotations.labels, self.annotations.offsets, chosen)
        rows = self.requested(target)
        own = np.full(len(rows), -1, dtype=np.int64)
        if target.split == "train":
            positions = np.full(len(target), -1, dtype=np.int64)
            positions[chosen] = np.arange(len(chosen))
            own = positions[rows]
        shown = self.views["train"].embeddings[chosen], groups(labels, offsets, task)
        embeddings = self.views[target.split].embeddings
        nearest = []
        for start in range(0, len(rows), TARGETS):
            part = slice(start, start + TARGETS)
            nearest.append(selector.assign(*shown, embeddings[rows[part]], own[part], rng))
            check_assigned(nearest[-1], own[part], len(chosen))
        return Demonstrations(train.take(chosen), labels, np.concatenate(nearest), "trusted")


def drawing(seed: int, round_: int, target: Pool) -> np.random.Generator:
    """Draws which demonstrations are shown for the examples of a pool in a round."""
    return np.random.default_rng([seed, round_, 4, *target.split.encode()])


def groups(labels: IntArray, offsets: IntArray, task: TaskCard) -> IntArray:
    """The class that each example is grouped by, int32 ``[n]``; -1 where it has none.

    Sequence tasks: the label. Token tasks (ours; the paper does not say): the entity
    type with most mentions plus one, the first of equals; 0 for a sentence without any.
    """
    if task.kind == "sequence":
        return np.asarray(labels, dtype=np.int32)
    starts = (labels > OUTSIDE) & (labels % 2 == 1)  # class 2k + 1 is B- of type k
    example = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    counts = np.zeros((len(offsets) - 1, len(task.labels)), dtype=np.int64)
    np.add.at(counts, (example[starts], (labels[starts] - 1) // 2), 1)
    found = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1) + 1, 0)
    abstained = labels[offsets[:-1]] == ABSTAINED
    return np.where(abstained, ABSTAINED, found).astype(np.int32)


def evidence(
    annotations: Annotations,
    view: StudentView,
    task: TaskCard,
    asked: IntArray | None = None,
    pool: Pool | None = None,
    asks: int | None = None,
) -> Evidence:
    """What selectors read, one row an example.

    Args:
        annotations, view, task, pool: as in the run.
        asked: int64 ``[n]``, how often the annotator was asked; None: once about each.
        asks: how often it may be asked about one example; None: as often as one likes.
    """
    times = np.ones(len(annotations), dtype=np.int64) if asked is None else asked
    differs = (annotations.labels != view.predictions).astype(np.int64)
    starts = annotations.offsets[:-1]
    return Evidence(
        groups=groups(annotations.labels, annotations.offsets, task),
        groups_count=len(task.labels) + (task.kind == "token"),
        agrees=np.asarray(np.add.reduceat(differs, starts) == 0),
        losses=_means(view.losses(annotations), annotations.offsets),
        annotator_confidence=annotations.confidence,
        student_confidence=_means(np.exp(view.log_probabilities.max(axis=1)), annotations.offsets),
        embeddings=view.embeddings,
        log_probabilities=view.log_probabilities,
        labels=annotations.labels,
        offsets=annotations.offsets,
        asked=times,
        askable=np.ones(len(times), dtype=np.bool_) if asks is None else times < asks,
        pool=pool,
    )


def together(annotations: Annotations, view: StudentView, task: TaskCard) -> IntArray | None:
    """The class of each example that annotator and student give together (``stats.combined``).

    None in token tasks: most tokens are no entity, so one rate of errors says nothing of mentions.
    """
    if task.kind == "token":
        return None
    return combined_labels(annotations.labels, annotations.confidence, view.log_probabilities)


def thin_classes(selection: Selection, seen: Evidence, task: TaskCard) -> str | None:
    """One line on classes with trusted examples for less than half of their share, or None."""
    count = seen.groups_count
    shown, trusted = (
        np.bincount(seen.groups[rows][seen.groups[rows] >= 0], minlength=count)
        for rows in (selection.demonstrations, selection.trusted)
    )
    share = len(selection.demonstrations) // count
    thin = np.flatnonzero((shown == trusted) & (2 * shown < share))
    if len(thin) == 0:
        return None
    names = [*(["no entity"] if task.kind == "token" else []), *(one.name for one in task.labels)]
    listed = ", ".join(f"{names[group]} ({shown[group]})" for group in thin)
    return f"all trusted examples of a class are shown, and they are few, for {listed}"


def believe(annotations: Annotations, view: StudentView, trusted: IntArray) -> Annotations:
    """The annotations, free of cost, with the student's label at the trusted rows.

    FreeAL, section 3.3: trusted examples keep the student's label in the next round, and its
    confidence where the annotator gave any.
    """
    labels, offsets = take_units(view.predictions, view.offsets, trusted)
    sure = _means(view.log_probabilities.max(axis=1), view.offsets)[trusted]
    given = annotations.confidence[trusted]
    confidence = np.where(np.isnan(given), np.nan, np.exp(sure)).astype(np.float32)
    both = merge(annotations, trusted, Annotations.of(labels, offsets, confidence=confidence))
    columns = {name: getattr(both, name) for name in _KEPT}
    return Annotations.of(both.labels, both.offsets, **columns)


_KEPT = ("confidence", "reasons", "replies", "candidates")
"""Columns of annotations that a round leaves for the next one."""


def _means(values: FloatArray, offsets: IntArray) -> FloatArray:
    sums = np.add.reduceat(values.astype(np.float64), offsets[:-1])
    return np.asarray(sums / np.diff(offsets), dtype=np.float32)
