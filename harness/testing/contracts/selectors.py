"""The contracts of selectors, by role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness import abilities
from harness.data import IntArray
from harness.errors import HarnessError
from harness.testing.contracts.calling import asked, refuse
from harness.testing.contracts.subject import Subject
from harness.testing.contracts.tiny import SHOTS

SEED = 5


def its_rows_are_rows_of_the_pool(subject: Subject) -> None:
    """int64, each once, within the pool; of trust and demonstrations ascending."""
    rows = _chosen(subject)
    thing = _written(subject)
    refuse(_wrong(rows, len(subject.tiny.pool)), thing)
    if subject.part.role in ("trust", "demonstrations"):
        ascending = bool((np.diff(rows) > 0).all())
        refuse(None if ascending else "its rows are not in ascending order; sort them", thing)
    if subject.part.role == "trust":
        blind = bool(np.isin(rows, np.flatnonzero(subject.tiny.evidence().groups < 0)).any())
        refuse(
            "it trusts a label that does not exist (the annotator abstained)" if blind else None,
            thing,
        )
    if subject.part.role == "demonstrations":
        untrusted = not np.isin(rows, _trusted(subject)).all()
        refuse("it shows an example that is not trusted" if untrusted else None, thing)


def the_same_generator_gives_the_same_rows(subject: Subject) -> None:
    """Twice with generators of one seed."""
    same = np.array_equal(_chosen(subject), _chosen(subject))
    wrong = "the same seed gave other rows; draw from rng alone"
    refuse(None if same else wrong, _written(subject))


def nothing_is_its_own_demonstration(subject: Subject) -> None:
    """``assign``: int32 [m, shots], rows of the demonstrations, -1 at the end, never its own."""
    if subject.part.role != "demonstrations":
        return
    rng = np.random.default_rng(SEED)
    shown, targets = rng.normal(size=(5, 4)), rng.normal(size=(7, 4))
    targets[:5] = shown
    own = np.asarray([0, 1, 2, 3, 4, -1, -1], dtype=np.int64)
    groups = np.asarray([0, 1, 2, 0, 1], dtype=np.int32)
    given = (shown.astype(np.float32), groups, targets.astype(np.float32), own, rng)
    found = asked(subject.made(), "assign", *given)
    refuse(_wrong_assignment(found, own), subject.made().assign)


def a_preset_names_selectors(subject: Subject) -> None:
    """Each role of a preset is the spec of a registered selector."""
    for role in ("trust", "demonstrations", "query"):
        name = str(getattr(subject.made(), role)).partition(":")[0].partition(",")[0]
        try:
            subject.plugins.part("selector", f"{role}/{name}")
        except HarnessError as error:
            refuse(f"its {role} names no selector: {error}", subject.part.factory)


ROLES: tuple[Callable[[Subject], None], ...] = (
    its_rows_are_rows_of_the_pool,
    the_same_generator_gives_the_same_rows,
    nothing_is_its_own_demonstration,
)
PRESET = (a_preset_names_selectors,)


def _chosen(subject: Subject) -> Any:
    rng, role = np.random.default_rng(SEED), subject.part.role
    if role == "initial":
        return asked(subject.made(), "__call__", subject.tiny.pool, rng)
    seen = subject.tiny.evidence(abilities.dropout_passes(subject.made()))
    if role == "trust":
        right = (seen.groups >= 0,) if abilities.needs_gold(subject.made()) else ()
        return asked(subject.made(), "__call__", seen, rng, *right)
    method = "choose" if role == "demonstrations" else "__call__"
    return asked(subject.made(), method, seen, _trusted(subject), rng)


def _trusted(subject: Subject) -> IntArray:
    return np.flatnonzero(subject.tiny.evidence().groups >= 0)[::2]


def _written(subject: Subject) -> object:
    return subject.made().choose if subject.part.role == "demonstrations" else subject.made()


def _wrong(rows: Any, n: int) -> str | None:
    if not isinstance(rows, np.ndarray):
        return f"it returned {_type(rows)}; an array of rows is expected"
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        return f"it returned {rows.dtype} of shape {rows.shape}; whole numbers [k] are expected"
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        return "it returned a row outside the pool"
    return "it returned a row twice" if len(np.unique(rows)) < len(rows) else None


def _wrong_assignment(found: Any, own: IntArray) -> str | None:
    if not isinstance(found, np.ndarray) or found.shape[:1] != own.shape or found.ndim != 2:
        return f"assign returned {_type(found)}; an array [{len(own)}, {SHOTS}] is expected"
    if found.shape[1] != SHOTS or not np.issubdtype(found.dtype, np.integer):
        return f"assign returned {found.dtype} {found.shape}; int32 [{len(own)}, {SHOTS}] expected"
    if found.min() < -1 or found.max() >= 5:
        return "assign returned a row that is no demonstration"
    if ((found == own[:, None]) & (own[:, None] >= 0)).any():
        return "assign shows an example to itself; leave out own"
    padded = found == -1
    return (
        "assign pads before the end of a row" if (padded[:, :-1] & ~padded[:, 1:]).any() else None
    )


def _type(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
