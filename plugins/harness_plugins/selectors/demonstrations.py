"""Which trusted examples to show, and which of them to which example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Evidence, SelectorRequest
from harness_plugins.selectors.medoids import medoids
from harness_plugins.selectors.options import number_argument

NUMBER = 100
"""Demonstrations altogether (FreeAL, section 3.3)."""
MAX_CANDIDATES = 4000
"""More trusted examples of a class than this are thinned at random before k-medoids: its
distance matrix grows with their square (4,000: 64 MB)."""
CHUNK = 8192
"""Targets whose similarities are held in memory at a time."""


@dataclass(frozen=True, slots=True)
class KMedoids:
    """Medoids of each class in the student's space; to each example its nearest a class.

    FreeAL, section 3.3: ``number``/C medoids a class form the demonstration pool, and
    each example is shown its shots/C nearest of each class, classes in label order.
    Medoids are those of cosine distances (``medoids``). The
    paper leaves open what happens where C does not divide: remainders go to the first
    classes (pool), or to the classes with the nearest demonstrations (shots).

    Its memory does not grow with the pool: of a class with more than ``MAX_CANDIDATES``
    trusted examples so many are drawn at random (by the seed) and the medoids found among
    them, and nearest demonstrations are looked up ``CHUNK`` targets at a time.

    Attributes:
        number: demonstrations altogether.
        shots: demonstrations shown with each example.
    """

    number: int = NUMBER
    shots: int = 10

    @classmethod
    def from_request(cls, request: SelectorRequest) -> KMedoids:
        """``k-medoids`` or ``k-medoids:NUMBER``."""
        return cls(number_argument(request.spec, NUMBER), request.shots)

    def choose(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """Medoid rows, ascending."""
        members = [trusted[evidence.groups[trusted] == g] for g in range(evidence.groups_count)]
        chosen = [
            _medoids(evidence.embeddings, rows, count, rng)
            for rows, count in zip(
                members, quotas(self.number, [len(rows) for rows in members]), strict=True
            )
        ]
        return np.sort(np.concatenate(chosen)).astype(np.int64)

    def assign(
        self,
        embeddings: FloatArray,
        groups: IntArray,
        targets: FloatArray,
        own: IntArray,
        rng: np.random.Generator,
    ) -> IntArray:
        """The nearest of each class by cosine, classes in label order, nearest first."""
        demonstrations = _unit(embeddings)
        nearest = np.full((len(targets), self.shots), -1, dtype=np.int32)
        for start in range(0, len(targets), CHUNK):
            rows = slice(start, start + CHUNK)
            similarity = _unit(targets[rows]) @ demonstrations.T
            mine = np.flatnonzero(own[rows] >= 0)
            similarity[mine, own[rows][mine]] = -np.inf
            nearest[rows] = _balanced_nearest(similarity, groups, self.shots)
        return nearest


@dataclass(frozen=True, slots=True)
class RandomDemonstrations:
    """Random trusted examples, random ones to each example: the control.

    Attributes:
        number: demonstrations altogether.
        shots: demonstrations shown with each example.
    """

    number: int = NUMBER
    shots: int = 10

    @classmethod
    def from_request(cls, request: SelectorRequest) -> RandomDemonstrations:
        """``random`` or ``random:NUMBER``."""
        return cls(number_argument(request.spec, NUMBER), request.shots)

    def choose(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """Random rows of each class, ascending."""
        members = [trusted[evidence.groups[trusted] == g] for g in range(evidence.groups_count)]
        counts = quotas(self.number, [len(rows) for rows in members])
        chosen = [rng.permutation(rows)[:n] for rows, n in zip(members, counts, strict=True)]
        return np.sort(np.concatenate(chosen)).astype(np.int64)

    def assign(
        self,
        embeddings: FloatArray,
        groups: IntArray,
        targets: FloatArray,
        own: IntArray,
        rng: np.random.Generator,
    ) -> IntArray:
        """Random ones, never an example itself."""
        nearest = np.full((len(targets), self.shots), -1, dtype=np.int32)
        for start in range(0, len(targets), CHUNK):
            rows = slice(start, start + CHUNK)
            similarity = rng.random((len(targets[rows]), len(embeddings)))
            mine = np.flatnonzero(own[rows] >= 0)
            similarity[mine, own[rows][mine]] = -np.inf
            order = np.argsort(-similarity, axis=1)[:, : self.shots].astype(np.int32)
            usable = np.isfinite(np.take_along_axis(similarity, order, 1))
            nearest[rows, : order.shape[1]] = np.where(usable, order, -1)
        return nearest


def quotas(total: int, available: list[int]) -> list[int]:
    """Share a total among classes evenly; what a small class cannot fill goes to others."""
    given = [0] * len(available)
    while sum(given) < min(total, sum(available)):
        open_ = [k for k, have in enumerate(available) if given[k] < have]
        share = max(1, (total - sum(given)) // len(open_))
        for k in open_:
            given[k] += min(share, available[k] - given[k], total - sum(given))
    return given


def _medoids(
    embeddings: FloatArray, rows: IntArray, count: int, rng: np.random.Generator
) -> IntArray:
    if count == 0 or count >= len(rows):
        return rows[:count]
    if len(rows) > MAX_CANDIDATES:
        rows = np.sort(rng.choice(rows, MAX_CANDIDATES, replace=False))
    return np.asarray(rows[medoids(_unit(embeddings[rows]), count, rng)])


def _balanced_nearest(similarity: FloatArray, groups: IntArray, shots: int) -> IntArray:
    """int32 ``[m, shots]``: shots/C of each class, the rest by similarity; in class order."""
    present = np.unique(groups)
    each = shots // len(present)
    order = np.argsort(-similarity, axis=1, kind="stable")
    usable = np.isfinite(np.take_along_axis(similarity, order, 1))
    ranked_groups = groups[order]
    taken = np.zeros(order.shape, dtype=bool)
    for group in present:
        of_group = usable & (ranked_groups == group)
        taken |= of_group & (np.cumsum(of_group, axis=1) <= each)
    # Fill up to the number of shots by similarity alone.
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


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
