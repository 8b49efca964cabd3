"""The contracts of augmenters, tasks, recipes and table formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness import abilities
from harness.data import ABSTAINED, Gold, Pool, TaskCard
from harness.errors import HarnessError
from harness.identity import digest
from harness.protocols import Variants, no_progress
from harness.run.contracts import check_type, check_variants
from harness.testing.contracts.calling import asked, refuse
from harness.testing.contracts.subject import Subject, skip

SPLITS = ("train", "validation", "test")


def each_variant_stands_for_its_example(subject: Subject) -> None:
    """The same ids, order and numbers of tokens; none empty; twice the same."""
    augmenter, given = subject.made(), subject.tiny
    if abilities.asks_service(augmenter):
        skip("it asks a service")
    labels = given.annotations if abilities.reads_labels(augmenter) else None
    made = [asked(augmenter, "augment", given.pool, labels, 3, no_progress) for _ in range(2)]
    subject.checked(check_type, made[0], Variants)
    subject.checked(check_variants, made[0].pool, given.pool)
    same = digest(made[0].pool) == digest(made[1].pool)
    wrong = "the same seed gave other variants; draw from the seed alone"
    refuse(None if same else wrong, augmenter.augment)


def a_task_keeps_gold_apart(subject: Subject) -> None:
    """Pools of its kind with ids of their own; gold of the same units, within the classes."""
    task, card = subject.made(), subject.made().card
    refuse(None if isinstance(card, TaskCard) else "card is no TaskCard", task)
    for split in SPLITS:
        pool = asked(task, "load", split, gold=True)
        gold = asked(task, "gold", split, gold=True)
        if pool is None and split == "train":
            refuse("load('train') returned None; a run needs a pool", task.load)
        if pool is not None:
            refuse(_wrong_pool(pool, card), task.load)
            refuse(_wrong_gold(gold, pool, card), task.gold)
    same = isinstance(task.fingerprint, str) and subject.remade().fingerprint == task.fingerprint
    wrong = "fingerprint is another each time, or no text; hash the declaration and the data"
    refuse(None if same else wrong, task)


def a_recipe_can_be_read(subject: Subject) -> None:
    """The factory gives the path of a recipe's file."""
    from harness.sweep.recipes import read_recipe

    path = asked(subject.part.factory, "__call__", None)
    refuse(None if isinstance(path, Path) else "its factory returned no path", subject.part.factory)
    try:
        read_recipe(path)
    except HarnessError as error:
        refuse(str(error), subject.part.factory)


def a_format_gives_text(subject: Subject) -> None:
    """The factory turns a table into a text, whatever is in it."""
    from harness.report.tables import Table

    table = Table("a title", ("task",), ("R1",), ((("tiny | & <b>",), (None,)),), True)
    text = asked(subject.part.factory, "__call__", table)
    refuse(None if isinstance(text, str) else "it returned no text", subject.part.factory)


AUGMENTER = (each_variant_stands_for_its_example,)
TASK = (a_task_keeps_gold_apart,)
RECIPE = (a_recipe_can_be_read,)
TABLE_FORMAT = (a_format_gives_text,)


def _wrong_pool(pool: Any, card: TaskCard) -> str | None:
    if not isinstance(pool, Pool):
        return f"load returned a value of type {type(pool).__name__}; a Pool is expected"
    if pool.kind != card.kind:
        return f"its pool is of kind {pool.kind!r}, its card of kind {card.kind!r}"
    return "two examples have the same id" if len(set(pool.ids)) < len(pool) else None


def _wrong_gold(gold: Any, pool: Pool, card: TaskCard) -> str | None:
    if gold is None:
        return None
    if not isinstance(gold, Gold):
        return f"gold returned a value of type {type(gold).__name__}; a Gold, or None, is expected"
    if not np.array_equal(gold.offsets, pool.offsets):
        return f"the gold labels of {pool.split!r} are of other units than its pool"
    if len(gold.labels) and (
        gold.labels.min() < ABSTAINED or gold.labels.max() >= len(card.classes)
    ):
        return f"a gold label of {pool.split!r} is no class of the task"
    return None
