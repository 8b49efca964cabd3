"""Which demonstrations to show with which example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from harness.data import FloatArray, IntArray
from harness_plugins.products import times
from harness_plugins.selectors.rows import CHUNK, unit

Likeness: TypeAlias = Callable[[FloatArray, IntArray, FloatArray, np.random.Generator], FloatArray]
"""Unit demonstrations ``[d, width]``, their groups, targets, generator -> ``[m, d]``."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How demonstrations are ranked for a target, and whether each class gets its share."""

    likeness: Likeness
    balanced: bool


def _cosine(
    shown: FloatArray, groups: IntArray, targets: FloatArray, rng: np.random.Generator
) -> FloatArray:
    return times(shown)(unit(targets))


def _chance(
    shown: FloatArray, groups: IntArray, targets: FloatArray, rng: np.random.Generator
) -> FloatArray:
    return rng.random((len(targets), len(shown)))


def _central(
    shown: FloatArray, groups: IntArray, targets: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """The cosine to the mean of the own class: the same for every target."""
    means = np.stack([shown[groups == group].mean(axis=0) for group in groups])
    return np.tile(np.einsum("dw,dw->d", shown, unit(means)), (len(targets), 1))


RETRIEVALS = {
    "balanced": Retrieval(_cosine, balanced=True),
    "nearest": Retrieval(_cosine, balanced=False),
    "random": Retrieval(_chance, balanced=False),
    "fixed": Retrieval(_central, balanced=True),
}
"""``balanced``: the nearest of each class (FreeAL, section 3.3); ``nearest``: the nearest
whatever their class (Liu et al., DeeLIO 2022, "What makes good in-context examples", and FreeAL's
R1); ``random``: others for each target; ``fixed``: the same for all, those nearest to the mean of
their class."""


def retrieve(
    how: Retrieval,
    shots: int,
    embeddings: FloatArray,
    groups: IntArray,
    targets: FloatArray,
    own: IntArray,
    rng: np.random.Generator,
) -> IntArray:
    """int32 ``[m, shots]``; see ``DemonstrationSelector.assign``. Never an example itself."""
    shown = unit(embeddings)
    classes = groups if how.balanced else np.zeros_like(groups)
    chosen = np.full((len(targets), shots), -1, dtype=np.int32)
    for start in range(0, len(targets), CHUNK):
        rows = slice(start, start + CHUNK)
        likeness = how.likeness(shown, groups, targets[rows], rng)
        mine = np.flatnonzero(own[rows] >= 0)
        likeness[mine, own[rows][mine]] = -np.inf
        chosen[rows] = _ranked(likeness, classes, shots)
    return chosen


def _ranked(likeness: FloatArray, groups: IntArray, shots: int) -> IntArray:
    """int32 ``[m, shots]``: shots/C of each class, the rest by likeness; in class order."""
    present = np.unique(groups)
    each = shots // len(present)
    order = np.argsort(-likeness, axis=1, kind="stable")
    usable = np.isfinite(np.take_along_axis(likeness, order, 1))
    ranked_groups = groups[order]
    taken = np.zeros(order.shape, dtype=bool)
    for group in present:
        of_group = usable & (ranked_groups == group)
        taken |= of_group & (np.cumsum(of_group, axis=1) <= each)
    # Fill up to the number of shots by likeness alone.
    missing = shots - taken.sum(axis=1, keepdims=True)
    spare = usable & ~taken
    taken |= spare & (np.cumsum(spare, axis=1) <= missing)
    # In class order, nearest first: a stable sort that puts what is not taken last.
    last = np.where(taken, ranked_groups, np.iinfo(np.int32).max)
    shown = np.argsort(last, axis=1, kind="stable")[:, :shots]
    chosen = np.full((len(order), shots), -1, dtype=np.int32)
    found = np.where(np.take_along_axis(taken, shown, 1), np.take_along_axis(order, shown, 1), -1)
    chosen[:, : found.shape[1]] = found
    return chosen
