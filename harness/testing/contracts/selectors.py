"""The contracts of selectors, by role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness import abilities
from harness.data import IntArray
from harness.errors import HarnessError
from harness.run.contracts import check_assigned, check_rows
from harness.testing.contracts.calling import asked, refuse
from harness.testing.contracts.subject import Subject
from harness.testing.contracts.tiny import SHOTS

SEED = 5


def its_rows_are_rows_of_the_pool(subject: Subject) -> None:
    """int64, each once, within the pool; of trust and demonstrations ascending."""
    everything = np.arange(len(subject.tiny.pool))
    labelled = np.flatnonzero(subject.tiny.evidence().groups >= 0)
    allowed = {"trust": labelled, "demonstrations": _trusted(subject)}
    role = subject.part.role
    rows = _chosen(subject)
    subject.checked(check_rows, rows, allowed.get(role, everything), len(everything), role)


def the_same_generator_gives_the_same_rows(subject: Subject) -> None:
    """Twice with generators of one seed."""
    same = np.array_equal(_chosen(subject), _chosen(subject))
    wrong = "the same seed gave other rows; draw from rng alone"
    refuse(None if same else wrong, subject.method())


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
    subject.checked(check_assigned, found, own, len(shown), of="assign")
    wrong = f"it assigned {found.shape[1]} demonstrations to a text; {SHOTS} are expected"
    refuse(None if found.shape[1] == SHOTS else wrong, subject.made().assign)


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
