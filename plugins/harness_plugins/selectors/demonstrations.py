"""The demonstrations of a round: a quota of each class, and what each example is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from harness.data import FloatArray, IntArray
from harness.errors import CommandError, nearest
from harness.protocols import Evidence, SelectorRequest
from harness_plugins.selectors.options import argument
from harness_plugins.selectors.retrieval import RETRIEVALS, Retrieval, retrieve

NUMBER = 100
"""Demonstrations altogether (FreeAL, section 3.3)."""

Pick: TypeAlias = Callable[[Evidence, IntArray, int, np.random.Generator], IntArray]


@dataclass(frozen=True, slots=True)
class ClassWise:
    """Chooses demonstrations class by class and retrieves some of them for each example.

    FreeAL, section 3.3: ``number``/C of each class form the demonstration pool, and each
    example is shown its shots/C nearest of each class, classes in label order. The paper leaves
    open what happens where C does not divide: remainders go to the first classes (pool), or to
    the classes with the nearest demonstrations (shots).

    Token tasks: a class is the entity type that a sentence has most mentions of, and one more is
    that of sentences without any, so that each type gets its share, and "no entity" one, too.

    Attributes:
        pick: chooses among the trusted rows of one class.
        retrieval: which of the demonstrations an example is shown.
        number: demonstrations altogether.
        shots: demonstrations shown with each example.
    """

    pick: Pick
    retrieval: Retrieval
    number: int
    shots: int

    @classmethod
    def of(cls, pick: Pick, request: SelectorRequest) -> ClassWise:
        """``NAME``, ``NAME:NUMBER``, each also with ``,retrieval=...``.

        Raises:
            CommandError: if the spec is wrong.
        """
        spec = request.spec
        number = argument(spec, "number", "retrieval").get("number", NUMBER)
        default = "random" if spec.name == "random" else "balanced"
        how = spec.option("retrieval", default, str)
        if how not in RETRIEVALS:
            raise CommandError(f"{spec}: no retrieval {how!r}; {nearest(how, RETRIEVALS)}")
        return cls(pick, RETRIEVALS[how], int(number), request.shots)

    def choose(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """Rows of each class, ascending."""
        members = [trusted[evidence.groups[trusted] == g] for g in range(evidence.groups_count)]
        counts = quotas(self.number, [len(rows) for rows in members])
        chosen = [self.pick(evidence, *one, rng) for one in zip(members, counts, strict=True)]
        return np.sort(np.concatenate(chosen)).astype(np.int64)

    def assign(
        self,
        embeddings: FloatArray,
        groups: IntArray,
        targets: FloatArray,
        own: IntArray,
        rng: np.random.Generator,
    ) -> IntArray:
        """Demonstrations of each target, never the target itself."""
        return retrieve(self.retrieval, self.shots, embeddings, groups, targets, own, rng)


def quotas(total: int, available: list[int]) -> list[int]:
    """Share a total among classes evenly; what a small class cannot fill goes to others."""
    given = [0] * len(available)
    while sum(given) < min(total, sum(available)):
        open_ = [k for k, have in enumerate(available) if given[k] < have]
        share = max(1, (total - sum(given)) // len(open_))
        for k in open_:
            given[k] += min(share, available[k] - given[k], total - sum(given))
    return given
