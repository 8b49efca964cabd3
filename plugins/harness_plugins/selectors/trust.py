"""Whose label to believe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data import ABSTAINED, IntArray
from harness.protocols import Evidence, SelectorRequest
from harness_plugins.selectors.options import fraction_argument

FRACTION = 0.2
"""Share of each class (FreeAL, section 3.3)."""


@dataclass(frozen=True, slots=True)
class SmallLoss:
    """Per class the share of smallest loss (FreeAL, section 3.3: 20 %).

    A label that the student learnt early and fits well is likely right (small-loss
    criterion). Classes are those of the annotation; a class of fewer than 1/fraction
    examples gives one. An example whose prediction differs from its annotation is not
    taken, however small its loss. (Ours is between two rules: the paper ranks by loss alone;
    the reference code takes the share of those that agree, so fewer: 1,557 on MR.)

    Attributes:
        fraction: share of each class, in (0, 1].
    """

    fraction: float = FRACTION

    @classmethod
    def from_request(cls, request: SelectorRequest) -> SmallLoss:
        """``small-loss`` or ``small-loss:FRACTION``."""
        return cls(fraction_argument(request.spec, FRACTION))

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> IntArray:
        """Rows of small loss, ascending."""
        chosen = []
        for group in range(evidence.groups_count):
            members = np.flatnonzero(evidence.groups == group)
            agreeing = members[evidence.agrees[members]]
            count = _share(self.fraction, len(members))
            order = np.argsort(evidence.losses[agreeing], kind="stable")
            chosen.append(agreeing[order[:count]])
        return np.sort(np.concatenate(chosen)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class TrustAll:
    """Every example that has an annotation: the student is believed everywhere."""

    @classmethod
    def from_request(cls, request: SelectorRequest) -> TrustAll:
        """No argument."""
        request.spec.no_argument()
        request.spec.check_options()
        return cls()

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> IntArray:
        """All answered rows, ascending."""
        return np.flatnonzero(evidence.groups != ABSTAINED).astype(np.int64)


@dataclass(frozen=True, slots=True)
class RandomTrust:
    """A random share of each class: the control for any other criterion."""

    fraction: float = FRACTION

    @classmethod
    def from_request(cls, request: SelectorRequest) -> RandomTrust:
        """``random`` or ``random:FRACTION``."""
        return cls(fraction_argument(request.spec, FRACTION))

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> IntArray:
        """Random rows of each class, ascending."""
        chosen = []
        for group in range(evidence.groups_count):
            members = np.flatnonzero(evidence.groups == group)
            chosen.append(rng.choice(members, _share(self.fraction, len(members)), replace=False))
        return np.sort(np.concatenate(chosen)).astype(np.int64)


def _share(fraction: float, members: int) -> int:
    return min(members, max(1, int(fraction * members + 1e-9)))
