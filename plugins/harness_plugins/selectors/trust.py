"""Whose label to believe: by small loss, agreement, confidence, or chance.

Each takes evidence and a generator and returns rows that have an annotation, ascending, int64.
A share of a class with any member is at least one example.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.data import ABSTAINED, BoolArray, IntArray
from harness.protocols import Evidence

SHARE = 0.2
"""Of each class (FreeAL, section 3.3)."""
THRESHOLD = 0.95
"""Of the student's probability (FixMatch, Sohn et al., NeurIPS 2020, table 4)."""


def small_loss(evidence: Evidence, rng: np.random.Generator, share: float = SHARE) -> IntArray:
    """Of each annotated class the share with the smallest losses (FreeAL, section 3.3).

    A label that the student learnt early and fits well is likely right. The loss alone decides,
    so a label that the student contradicts can be among them; the student's is then believed.
    """
    return _smallest(evidence, share, evidence.groups != ABSTAINED)


def agreeing_small_loss(
    evidence: Evidence, rng: np.random.Generator, share: float = SHARE
) -> IntArray:
    """As many as ``small_loss`` of each class, but none that the student contradicts (ours)."""
    return _smallest(evidence, share, evidence.agrees)


def reference_small_loss(
    evidence: Evidence, rng: np.random.Generator, share: float = SHARE
) -> IntArray:
    """Of those in each class on which student and annotator agree, the share of smallest loss.

    The rule of FreeAL's reference code, 1,557 = int(0.2 * 4050) + int(0.2 * 3738) of MR, except
    for the rank: the code ranks by the raw logit of the class. A student's view holds
    log-probabilities, from which logits cannot be recovered, so these rank instead.
    """
    return _smallest(evidence, share, evidence.agrees, share_of=evidence.agrees)


def fraction(evidence: Evidence, rng: np.random.Generator, share: float = SHARE) -> IntArray:
    """The share of smallest loss of the whole pool, whatever the class.

    The criterion of Co-teaching (Han et al., NeurIPS 2018, R(T)): hard classes may get none.
    """
    rows = all_answered(evidence, rng)
    order = np.argsort(evidence.losses[rows], kind="stable")
    return np.sort(rows[order[: _count(share, len(rows))]])


def agreement(evidence: Evidence, rng: np.random.Generator) -> IntArray:
    """Every example on which student and annotator agree (the baseline of all agreement rules)."""
    return _rows(evidence.agrees & (evidence.groups != ABSTAINED))


def confidence(
    evidence: Evidence, rng: np.random.Generator, threshold: float = THRESHOLD
) -> IntArray:
    """Where the student's largest probability (mean over tokens) reaches the threshold.

    Confidence thresholding as in FixMatch (Sohn et al., NeurIPS 2020, equation 4).
    """
    return _rows((evidence.student_confidence >= threshold) & (evidence.groups != ABSTAINED))


def all_answered(evidence: Evidence, rng: np.random.Generator) -> IntArray:
    """Every example that has an annotation: plain self-training."""
    return _rows(evidence.groups != ABSTAINED)


def none(evidence: Evidence, rng: np.random.Generator) -> IntArray:
    """No example: no label is replaced by the student's, and nothing can be shown."""
    return np.zeros(0, dtype=np.int64)


def random(evidence: Evidence, rng: np.random.Generator, share: float = SHARE) -> IntArray:
    """A random share of each class: the control for any other criterion."""
    members = [np.flatnonzero(evidence.groups == g) for g in range(evidence.groups_count)]
    chosen = [rng.choice(rows, _count(share, len(rows)), replace=False) for rows in members]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


class Oracle:
    """Of each annotated class the share of smallest loss where the student is right (ours).

    As many as ``small_loss`` and none of them wrong: an upper bound for what trust is worth.
    """

    needs_gold: Literal[True] = True

    def __init__(self, share: float = SHARE) -> None:
        self._share = share

    def __call__(self, evidence: Evidence, rng: np.random.Generator, right: BoolArray) -> IntArray:
        """Rows whose label is right; ``right``: bool ``[n]``."""
        return _smallest(evidence, self._share, right & (evidence.groups != ABSTAINED))


def _smallest(
    evidence: Evidence, share: float, eligible: BoolArray, share_of: BoolArray | None = None
) -> IntArray:
    """Of each class, the eligible rows of smallest loss; the share is of all, or ``share_of``."""
    chosen = []
    for group in range(evidence.groups_count):
        members = np.flatnonzero(evidence.groups == group)
        counted = len(members) if share_of is None else int(share_of[members].sum())
        rows = members[eligible[members]]
        order = np.argsort(evidence.losses[rows], kind="stable")
        chosen.append(rows[order[: _count(share, counted)]])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _count(share: float, members: int) -> int:
    return min(members, max(1, int(share * members + 1e-9)))


def _rows(chosen: BoolArray) -> IntArray:
    return np.flatnonzero(chosen).astype(np.int64)
