"""Checks what parts return against their protocols, before it is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from harness import iob2
from harness.data import (
    ABSTAINED,
    Annotations,
    BoolArray,
    IntArray,
    Kind,
    Pool,
    StudentView,
    TaskCard,
)
from harness.errors import HarnessError, PartError, describe
from harness.plugin_manager.places import place_of, place_of_error, whose


class WrongValueError(PartError):
    """What a part returned against its protocol, without the part's name: ``returned None; ...``"""


@contextmanager
def blaming(part: str, plugin: str = "", thing: object = None) -> Iterator[None]:
    """Turn an unexpected error in a part, and a wrong value, into a ``PartError`` that names it.

    Args:
        part: as messages name it, such as ``annotator 'mine'``.
        plugin: that registered it.
        thing: the function, or the object, whose file and line a wrong value is of.
    """
    try:
        yield
    except WrongValueError as wrong:
        place = "" if thing is None else place_of(thing)
        raise PartError(f"{part} {wrong} {whose(plugin, place)}".rstrip()) from wrong
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        said = f"{part} failed: {describe(error)} {whose(plugin, place_of_error(error))}"
        raise PartError(said.rstrip()) from error


def check_type(value: object, expected: type) -> None:
    """Raise a ``WrongValueError`` for a value of another type than the protocol's."""
    if not isinstance(value, expected):
        _refuse(f"returned {_type(value)}; its protocol asks for {expected.__name__}")


def check_fitted(fitted: object) -> None:
    """Raise a ``WrongValueError`` for what ``fit`` or ``load`` returned, if it is no student."""
    if not (hasattr(fitted, "view") and hasattr(fitted, "save")):
        _refuse(f"returned {_type(fitted)}; its protocol asks for a FittedStudent: view, save")


def check_annotations(given: Annotations, pool: Pool, task: TaskCard) -> None:
    """Raise a ``WrongValueError`` that says how annotations break the protocol, if they do."""
    check_type(given, Annotations)
    wrong = None
    if not np.array_equal(given.offsets, pool.offsets):
        wrong = "answered for other units than those of the pool"
    elif not np.issubdtype(given.labels.dtype, np.integer):
        wrong = f"gave labels of type {given.labels.dtype}; class indices are whole numbers"
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
    _refuse(wrong)


def check_view(view: StudentView, pool: Pool, task: TaskCard) -> None:
    """Raise a ``WrongValueError`` that says how a view breaks the protocol, if it does."""
    check_type(view, StudentView)
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
    _refuse(wrong)


def check_variants(variants: Pool, pool: Pool) -> None:
    """Raise a ``WrongValueError`` that says how variants break the protocol, if they do."""
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
    _refuse(wrong)


def check_rows(rows: object, allowed: IntArray, n: int, role: str) -> None:
    """Raise a ``WrongValueError`` for what a selector returned, if it is no int64 ``[k]``.

    Args:
        rows: of the pool, each once; of trust and demonstrations ascending.
        allowed: rows that have a label (trust), are trusted (demonstrations), or all.
        n: examples of the pool.
        role: of the selector.
    """
    if not isinstance(rows, np.ndarray):
        _refuse(f"returned {_type(rows)}; an array of rows is expected")
    elif rows.ndim != 1 or (len(rows) and not np.issubdtype(rows.dtype, np.integer)):
        found = f"{rows.dtype} of shape {rows.shape}"
        mask = " (np.flatnonzero makes rows of a mask)" if rows.dtype == np.bool_ else ""
        _refuse(f"returned {found}; whole numbers [k] are expected{mask}")
    elif len(rows) and (rows.min() < 0 or rows.max() >= n):
        _refuse("returned a row outside the pool")
    elif len(np.unique(rows)) < len(rows):
        _refuse("returned a row twice")
    elif not np.isin(rows, allowed).all():
        _refuse(_FORBIDDEN.get(role, "returned a row that it may not choose"))
    elif role in _FORBIDDEN and (np.diff(rows) < 0).any():
        _refuse("returned rows that are not in ascending order; sort them")


_FORBIDDEN = {
    "trust": "trusts a label that does not exist (the annotator abstained)",
    "demonstrations": "shows an example that is not trusted",
}
"""By role what is wrong with a row that is not allowed."""


def check_assigned(found: object, own: IntArray, shown: int) -> None:
    """Raise a ``WrongValueError`` for what ``assign`` returned, if it is no int32 ``[m, shots]``.

    ``own`` is its argument of this name, ``shown`` the number of demonstrations.
    """
    expected = f"whole numbers [{len(own)}, shots] are expected"
    if not isinstance(found, np.ndarray):
        _refuse(f"assigned {_type(found)}; {expected}")
    elif found.shape[:1] != own.shape or found.ndim != 2 or found.dtype.kind not in "iu":
        _refuse(f"assigned {found.dtype} of shape {found.shape}; {expected}")
    elif found.min(initial=-1) < -1 or found.max(initial=-1) >= shown:
        _refuse("assigned a row that is no demonstration")
    elif ((found == own[:, None]) & (own[:, None] >= 0)).any():
        _refuse("assigned an example to itself; leave out own")
    elif ((found[:, :-1] == -1) & (found[:, 1:] != -1)).any():
        _refuse("assigned -1 before the end of a row; it pads the end")


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


def _type(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _refuse(wrong: str | None) -> None:
    if wrong is not None:
        raise WrongValueError(wrong)
