"""How right a run's labels are, judged by rows that a person labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data import ABSTAINED, OUTSIDE, IntArray, TaskCard, take_units
from harness.export.labels import labels_of_stage
from harness.label.gold_file import GoldRows, read_gold
from harness.protocols import Task
from harness.record.finished import FinishedRun
from harness.run.splits import splits_of
from harness.stats.intervals import score_interval, wilson
from harness.stats.outcomes import Interval, Outcomes, mention_counts

MOST = 10**7
"""Rows beyond which nobody labels more."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A score with its 95 % interval.

    Attributes:
        outcomes: what is right, row by row.
        interval: of the score; F1: by the bootstrap.
    """

    outcomes: Outcomes
    interval: Interval

    @classmethod
    def of(cls, outcomes: Outcomes) -> Judged:
        """With the interval of its kind."""
        return cls(outcomes, score_interval(outcomes))

    @property
    def rows(self) -> int:
        """How many rows it is of."""
        return self.outcomes.examples

    def more_to_halve(self) -> int:
        """How many more rows by hand would halve the interval, if the score stays."""
        if self.outcomes.counts.shape[2] == 3:
            return 3 * self.rows  # widths fall as the root of the rows
        width = self.interval.high - self.interval.low
        low, high = self.rows, MOST
        while low < high:
            middle = (low + high) // 2
            found = wilson(round(self.outcomes.score * middle), middle)
            if found.high - found.low <= width / 2:
                high = middle
            else:
                low = middle + 1
        return low - self.rows


@dataclass(frozen=True, slots=True)
class OfLabel:
    """One label, or entity type: ``found`` of the rows that have it by hand, ``right`` of those
    that were given it; of entity types ``f1`` alone. None where there is no such row."""

    found: Judged | None = None
    right: Judged | None = None
    f1: Judged | None = None


@dataclass(frozen=True, slots=True)
class OfStage:
    """A stage: who labelled, how right it is, and by label."""

    stage: str
    actor: str
    judged: Judged
    by_label: Mapping[str, OfLabel]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Attributes: the run's id, its pool's size, the gold, and its stages; the last is exported."""

    run_id: str
    pool: int
    gold: GoldRows
    stages: Sequence[OfStage]


def certificate(
    run: FinishedRun, task: Task, file: Path, columns: Mapping[str, str]
) -> Certificate:
    """Judge every stage of a run of a task by the rows of a file that are in its pool.

    ``columns`` and errors: as of ``read_gold``.
    """
    pool = splits_of(run.config, task).train.pool
    gold = read_gold(file, columns, pool, task.card)
    stages = []
    for stage in run.result.stages:
        labels, _, _ = labels_of_stage(run, task, stage, pool)
        said, offsets = take_units(labels, pool.offsets, gold.rows)
        judged = judge(said, gold.labels, offsets, task.card)
        stages.append(OfStage(stage.stage, stage.actor, *judged))
    return Certificate(run.result.run_id, len(pool), gold, stages)


def judge(
    said: IntArray, gold: IntArray, offsets: IntArray, card: TaskCard
) -> tuple[Judged, Mapping[str, OfLabel]]:
    """The score of labels, and by label.

    Args:
        said: int ``[units]``, class indices; ``ABSTAINED`` counts as wrong.
        gold: the same by hand.
        offsets: int64 ``[n + 1]``.
        card: of the task.
    """
    names = [label.name for label in card.labels]
    if card.kind == "token":
        said = np.where(said == ABSTAINED, OUTSIDE, said)
        of_types = [_only(said, gold, index, offsets) for index in range(len(names))]
        by_label = {name: OfLabel(f1=one) for name, one in zip(names, of_types, strict=True)}
        return Judged.of(Outcomes.of_mentions(mention_counts(said, gold, offsets))), by_label
    right = said == gold
    by_label = {
        name: OfLabel(_share(right[gold == index]), _share(right[said == index]))
        for index, name in enumerate(names)
    }
    return Judged.of(Outcomes.of_examples(right)), by_label


def _share(right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Judged | None:
    return Judged.of(Outcomes.of_examples(right)) if len(right) else None


def _only(said: IntArray, gold: IntArray, type_: int, offsets: IntArray) -> Judged | None:
    """F1 of one entity type."""
    kept = (2 * type_ + 1, 2 * type_ + 2)
    one, other = (np.where(np.isin(tags, kept), tags, OUTSIDE) for tags in (said, gold))
    counts = mention_counts(one, other, offsets)
    return Judged.of(Outcomes.of_mentions(counts)) if counts[:, 1:].any() else None
