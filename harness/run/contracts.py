"""Checks what parts return against their protocols, before it is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from harness import iob2
from harness.data import ABSTAINED, Annotations, BoolArray, Kind, Pool, StudentView, TaskCard
from harness.errors import HarnessError, PartError, describe
from harness.plugin_manager.places import place_of_error


@contextmanager
def blaming(part: str) -> Iterator[None]:
    """Turn an unexpected error in a part into a ``PartError`` that names the part."""
    try:
        yield
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        place = place_of_error(error)
        said = f"{part} failed: {describe(error)}" + (f" ({place})" if place else "")
        raise PartError(said) from error


def check_type(value: object, expected: type, part: str) -> None:
    """Raise a ``PartError`` for a value of another type than the protocol's."""
    if not isinstance(value, expected):
        found = "None" if value is None else f"a value of type {type(value).__name__}"
        _refuse(part, f"returned {found}; its protocol asks for {expected.__name__}")


def check_fitted(fitted: object, part: str) -> None:
    """Raise a ``PartError`` for what ``fit`` or ``load`` returned, if it is no fitted student."""
    if not (hasattr(fitted, "view") and hasattr(fitted, "save")):
        found = "None" if fitted is None else f"a value of type {type(fitted).__name__}"
        _refuse(part, f"returned {found}; its protocol asks for a FittedStudent: view, save")


def check_annotations(given: Annotations, pool: Pool, task: TaskCard, part: str) -> None:
    """Raise a ``PartError`` that says how annotations break the protocol, if they do."""
    check_type(given, Annotations, part)
    wrong = None
    if not np.array_equal(given.offsets, pool.offsets):
        wrong = "answered for other units than those of the pool"
    elif ((given.labels < ABSTAINED) | (given.labels >= len(task.classes))).any():
        wrong = "answered with a class index that the task does not have"
    elif (row := _wrong_candidates(given, len(task.labels), task.kind)) is not None:
        wrong = f"named candidates for {pool.ids[row]} that are repeated or no labels of the task"
    elif _answered_in_part(given).any():
        wrong = "abstained from a part of a sentence; it must answer all of it or none"
    elif task.kind == "token":
        unit = iob2.first_invalid(given.labels, given.offsets)
        if unit is not None:
            row = int(np.searchsorted(given.offsets, unit, side="right")) - 1
            wrong = f"answered with tags that are not IOB2 for {pool.ids[row]}"
    _refuse(part, wrong)


def check_view(view: StudentView, pool: Pool, task: TaskCard, part: str) -> None:
    """Raise a ``PartError`` that says how a student's view breaks the protocol, if it does."""
    check_type(view, StudentView, part)
    classes = len(task.classes)
    extremes = [view.embeddings.min(initial=0), view.embeddings.max(initial=0)]  # NaN is both
    wrong = None
    if not np.array_equal(view.offsets, pool.offsets):
        wrong = "viewed other units than those of the pool"
    elif view.log_probabilities.shape != (int(pool.offsets[-1]), classes):
        wrong = f"gave probabilities of shape {view.log_probabilities.shape}"
    elif view.clean is not None and view.clean.shape != (int(pool.offsets[-1]),):
        wrong = f"told clean labels of shape {view.clean.shape}"
    elif not view.log_probabilities.max(initial=-np.inf) <= 1e-4:
        wrong = "gave log-probabilities that are positive or not a number"
    elif ((view.predictions < 0) | (view.predictions >= classes)).any():
        wrong = "predicted a class index that the task does not have"
    elif not np.isfinite(extremes).all():
        wrong = "gave embeddings that are not finite"
    elif task.kind == "token" and iob2.first_invalid(view.predictions, view.offsets) is not None:
        wrong = "predicted tags that are not IOB2"
    _refuse(part, wrong)


def check_variants(variants: Pool, pool: Pool, part: str) -> None:
    """Raise a ``PartError`` that says how variants break the protocol, if they do."""
    wrong = None
    if variants.kind != pool.kind or len(variants) != len(pool):
        wrong = f"made {len(variants)} {variants.kind} variants of {len(pool)} {pool.kind} examples"
    elif list(variants.ids) != list(pool.ids):
        wrong = "gave its variants other ids, or another order, than the examples have"
    elif not np.array_equal(variants.offsets, pool.offsets):
        row = int(np.flatnonzero(np.diff(variants.offsets) != np.diff(pool.offsets))[0])
        wrong = f"made a variant with another number of tokens than {pool.ids[row]} has"
    elif (empty := _first_empty(variants, pool)) is not None:
        wrong = f"made an empty variant of {pool.ids[empty]}"
    _refuse(part, wrong)


def _first_empty(variants: Pool, pool: Pool) -> int | None:
    """The first row with an empty text, or token, where the example's own is not empty."""
    for row, (new, old) in enumerate(zip(_pieces(variants), _pieces(pool), strict=True)):
        if any(not a.strip() and b.strip() for a, b in zip(new, old, strict=True)):
            return row
    return None


def _pieces(pool: Pool) -> Iterator[Sequence[str]]:
    examples: Any = pool.examples
    return ((text,) for text in examples) if pool.kind == "sequence" else iter(examples)


def _wrong_candidates(given: Annotations, labels: int, kind: Kind) -> int | None:
    """The first row whose candidates are no different labels of a sequence task."""
    allowed = set(range(labels)) if kind == "sequence" else set()
    for row, named in enumerate(given.candidates):
        if named and not (len(set(named)) == len(named) and allowed.issuperset(named)):
            return row
    return None


def _answered_in_part(given: Annotations) -> BoolArray:
    """bool ``[n]``: some units of the example have a label and some have none."""
    count = np.add.reduceat((given.labels != ABSTAINED).astype(np.int64), given.offsets[:-1])
    return np.asarray((count > 0) & (count < np.diff(given.offsets)))


def _refuse(part: str, wrong: str | None) -> None:
    if wrong is not None:
        raise PartError(f"{part} {wrong}")
