"""The pool and the sets that score a run, drawn by its seed, gold labels apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness import abilities
from harness.config import Config
from harness.data import ABSTAINED, BoolArray, Gold, IntArray, Pool, TaskCard
from harness.errors import DataError
from harness.iob2 import first_invalid
from harness.protocols import Task
from harness.run.feedback import groups


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One split: what parts see, and what only metrics see."""

    pool: Pool
    gold: Gold

    def take(self, rows: IntArray) -> Split:
        """The given rows, in the given order."""
        return Split(self.pool.take(rows), self.gold.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """The data of a run: the pool, and what scores it.

    Attributes:
        test: None in the transductive setting.
        validation: None unless ``validation`` is set.
        notes: what the user should know of the data, one line each.
        origin: where the data comes from, for the provenance.
    """

    train: Split
    test: Split | None
    validation: Split | None = None
    notes: tuple[str, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scored(self) -> Mapping[str, Split]:
        """The splits other than the pool on which both actors are scored, by name."""
        named = {"test": self.test, "validation": self.validation}
        return {name: split for name, split in named.items() if split is not None}

    def described(self) -> dict[str, Any]:
        """Sizes, origin and notes as plain values."""
        sizes = {name: len(split.pool) for name, split in self.scored.items()}
        return {
            **self.origin,
            "sizes": {"train": len(self.train.pool), **sizes},
            "notes": list(self.notes),
        }


def splits_of(config: Config, task: Task) -> Splits:
    """The splits of the run of a resolved configuration; see ``load_splits``."""
    return load_splits(
        task,
        inductive=config.setting == "inductive",
        limit=config.limit,
        seed=config.seed,
        validation=config.validation,
    )


def load_splits(
    task: Task, *, inductive: bool, limit: int | None, seed: int, validation: float = 0.0
) -> Splits:
    """Load and draw the splits, at most ``limit`` examples of each.

    The seed always draws the order of the examples, also without a limit: some data sets
    are sorted by class, and a position must not hint at a label.

    Args:
        task: the source of the data.
        inductive: also load the test split.
        limit: None: all.
        seed: of the order and of what a limit leaves out.
        validation: 0 for none; else the task's own validation split or, where it has none,
            this share of train.

    Raises:
        DataError: if a split that the run needs is missing or empty.
    """
    train = _load(task, "train")
    notes: list[str] = []
    held = None
    if validation:
        train, held = _validation(task, train, validation, seed, notes)
    test = None
    if inductive and task.load("test") is None:
        notes.append("the task has no test split: all scores are of the pool (transductive)")
    elif inductive:
        test = _drawn(_load(task, "test"), limit, seed)
    notes += _gold_notes(train.gold, task.card)
    return Splits(
        train=_drawn(train, limit, seed),
        test=test,
        validation=None if held is None else _drawn(held, limit, seed),
        notes=(*abilities.notes(task), *notes),
        origin=abilities.origin(task),
    )


def hold_out(gold: Gold, share: float, card: TaskCard, rng: np.random.Generator) -> BoolArray:
    """Which examples to hold out: bool ``[n]``; a share in (0, 0.5] of each label, rounded.

    Token tasks: of each most frequent entity type of a sentence, and of the sentences without
    any. A label with two examples or more keeps one on each side; a single one stays in the pool,
    and so does what has no gold.
    """
    strata = groups(gold.labels, gold.offsets, card)
    held = np.zeros(len(gold), dtype=np.bool_)
    for stratum in np.unique(strata[gold.known]):
        rows = np.flatnonzero(strata == stratum)
        least = 1 if len(rows) > 1 else 0
        count = min(max(round(share * len(rows)), least), len(rows) - 1)
        held[rng.permutation(rows)[:count]] = True
    return held


def _validation(
    task: Task, train: Split, share: float, seed: int, notes: list[str]
) -> tuple[Split, Split]:
    """What is left of train, and the validation set."""
    if task.load("validation") is not None:
        own = _load(task, "validation")
        notes.append(f"validation: the task's own split of {len(own.pool)} examples")
        return train, own
    rng = np.random.default_rng([seed, *b"validation"])
    held = hold_out(train.gold, share, task.card, rng)
    if not held.any():
        raise DataError(
            f"task {task.card.name!r}: its {int(train.gold.known.sum())} train examples with gold "
            "are too few to hold any out for validation; set validation=0"
        )
    left, kept = train.take(np.flatnonzero(~held)), train.take(np.flatnonzero(held))
    again = len(set(left.pool.texts) & set(kept.pool.texts))
    notes.append(
        f"validation: {len(kept.pool)} of {len(train.pool)} train examples, stratified, are held "
        f"out of the pool by seed {seed}"
        + (f"; {again} of their texts occur in it" if again else "")
    )
    named = Split(replace(kept.pool, split="validation"), replace(kept.gold, split="validation"))
    return left, named


def _load(task: Task, split: str) -> Split:
    pool = task.load(split)
    if pool is None:
        raise DataError(f"task {task.card.name!r} has no {split} split")
    if len(pool) == 0:
        raise DataError(f"task {task.card.name!r}: its {split} split is empty")
    gold = task.gold(split) or Gold.none_of(pool)
    if task.card.kind == "token" and (unit := first_invalid(gold.labels, gold.offsets)) is not None:
        row = int(np.searchsorted(gold.offsets, unit, side="right")) - 1
        where = f"{pool.ids[row]} in its {split} split"
        raise DataError(f"task {task.card.name!r}: the gold tags of {where} are not IOB2")
    return Split(pool, gold)


def _gold_notes(gold: Gold, card: TaskCard) -> list[str]:
    """The scores of a pool that has gold for some rows, for none, or of one class."""
    known = gold.known
    if not known.any():
        return ["the pool has no gold labels: there are no scores of it"]
    found = []
    if not known.all():
        found = [f"{int(known.sum())} of {len(gold)} rows of the pool have gold; scores are theirs"]
    classes = np.unique(gold.labels[gold.labels != ABSTAINED])
    if len(classes) == 1:
        name = card.classes[int(classes[0])]
        found.append(
            f"all gold labels of the pool are {name!r}: a score on them does not tell a good "
            "student from one that always says so"
        )
    return found


def _drawn(split: Split, limit: int | None, seed: int) -> Split:
    rng = np.random.default_rng([seed, *split.pool.split.encode()])
    return split.take(rng.permutation(len(split.pool))[:limit])
