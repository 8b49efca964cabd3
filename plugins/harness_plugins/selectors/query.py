"""What to annotate next, most urgent first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data import IntArray
from harness.protocols import Evidence, SelectorRequest
from harness_plugins.selectors.options import fraction_argument

FRACTION = 0.1
"""Share of a round of the low-budget variant (FreeAL, Table 8)."""


@dataclass(frozen=True, slots=True)
class Untrusted:
    """All that is not trusted (FreeAL, section 3.4); abstentions first, then large losses.

    The order matters where a budget ends the annotation early.
    """

    @classmethod
    def from_request(cls, request: SelectorRequest) -> Untrusted:
        """No argument."""
        _nothing(request)
        return cls()

    def __call__(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """Untrusted rows."""
        rest = np.setdiff1d(np.arange(len(evidence)), trusted)
        losses = np.nan_to_num(evidence.losses[rest], nan=np.inf)
        return rest[np.argsort(-losses, kind="stable")].astype(np.int64)


@dataclass(frozen=True, slots=True)
class QueryAll:
    """Every example again, also the trusted ones (as the reference code pays for them)."""

    @classmethod
    def from_request(cls, request: SelectorRequest) -> QueryAll:
        """No argument."""
        _nothing(request)
        return cls()

    def __call__(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """All rows."""
        return np.arange(len(evidence), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class RandomQuery:
    """A random share of the untrusted."""

    fraction: float = FRACTION

    @classmethod
    def from_request(cls, request: SelectorRequest) -> RandomQuery:
        """``random`` or ``random:FRACTION``."""
        return cls(fraction_argument(request.spec, FRACTION))

    def __call__(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """Random untrusted rows."""
        rest = np.setdiff1d(np.arange(len(evidence)), trusted)
        return rng.permutation(rest)[: int(np.ceil(self.fraction * len(rest)))].astype(np.int64)


@dataclass(frozen=True, slots=True)
class QueryNone:
    """Nothing: the annotator is asked once, and the student goes on alone."""

    @classmethod
    def from_request(cls, request: SelectorRequest) -> QueryNone:
        """No argument."""
        _nothing(request)
        return cls()

    def __call__(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """No rows."""
        return np.zeros(0, dtype=np.int64)


def _nothing(request: SelectorRequest) -> None:
    request.spec.no_argument()
    request.spec.check_options()
