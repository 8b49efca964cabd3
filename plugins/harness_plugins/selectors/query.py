"""What to annotate next, most urgent first: all, some by chance, or the most uncertain.

Each takes evidence, the trusted rows and a generator and returns different rows, int64.
"""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Evidence
from harness_plugins.selectors.rows import CHUNK, Measure, per_example
from harness_plugins.selectors.rows import untrusted as untrusted_rows

SHARE = 0.1
"""Of a round of the low-budget variant (FreeAL, table 8)."""
PASSES = 10
"""Of BALD: looks at the pool with dropout; each takes as long as one without."""


def untrusted(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """All that is not trusted (FreeAL, section 3.4); abstentions first, then large losses.

    The order matters where a budget ends the annotation early.
    """
    rest = untrusted_rows(evidence, trusted)
    return _descending(rest, np.nan_to_num(evidence.losses[rest], nan=np.inf))


def everything(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """Every example again, also the trusted ones (as the reference code pays for them)."""
    return np.flatnonzero(evidence.askable).astype(np.int64)


def none(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """Nothing: the annotator answers once, and the student goes on alone."""
    return np.zeros(0, dtype=np.int64)


def random(
    evidence: Evidence, trusted: IntArray, rng: np.random.Generator, share: float = SHARE
) -> IntArray:
    """A random share of the untrusted: the baseline of active learning."""
    rest = untrusted_rows(evidence, trusted)
    return rng.permutation(rest)[: int(np.ceil(share * len(rest)))].astype(np.int64)


def least_confidence(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """The untrusted, smallest of the largest probabilities first (Lewis & Gale, SIGIR 1994).

    Here and below, token tasks: the mean over the sentence's tokens, so that long sentences
    are not preferred (Shen et al., ICLR 2018, section 4).
    """
    return _most(evidence, trusted, lambda log: 1 - np.exp(log.max(axis=1)))


def margin(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """The untrusted, smallest lead of the first class over the second first (Scheffer 2001)."""
    return _most(evidence, trusted, _negative_margin)


def entropy(evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
    """The untrusted, largest entropy of the probabilities first (Settles 2009, section 3.1)."""
    return _most(evidence, trusted, _entropy)


class Bald:
    """The untrusted, most disputed between the student's passes with dropout first.

    BALD (Houlsby et al. 2011, equation 2) by Monte Carlo dropout (Gal et al., ICML 2017, section
    4): the mutual information of label and weights, which is the entropy of the mean prediction
    less the mean of the entropies. High where each pass is sure and passes differ, so that noise
    in the labels, which makes every pass unsure, does not count. Token tasks: the mean over the
    sentence's tokens.
    """

    def __init__(self, number: int = PASSES) -> None:
        self.dropout_passes = number

    def __call__(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """Rows, most urgent first."""
        rest = untrusted_rows(evidence, trusted)
        return _descending(rest, disputed(evidence)[rest])


def disputed(evidence: Evidence) -> FloatArray:
    """float64 ``[n]``, in nats: the mean mutual information of each example's units."""
    means = np.empty(len(evidence), dtype=np.float64)
    for start in range(0, len(evidence), CHUNK):
        bounds = evidence.offsets[start : start + CHUNK + 1]
        p = np.exp([one[bounds[0] : bounds[-1]] for one in evidence.passes]).astype(np.float64)
        found = _entropies(p.mean(axis=0)) - _entropies(p).mean(axis=0)
        sums = np.add.reduceat(found, bounds[:-1] - bounds[0])
        means[start : start + CHUNK] = sums / np.diff(bounds)
    return means


def _entropies(p: FloatArray) -> FloatArray:
    return np.asarray(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1))


def _negative_margin(log: FloatArray) -> FloatArray:
    if log.shape[1] == 1:
        return np.zeros(len(log))
    two = np.exp(np.partition(log, -2, axis=1)[:, -2:])
    return np.asarray(two[:, 0] - two[:, 1])


def _entropy(log: FloatArray) -> FloatArray:
    # Where p is 0 its logarithm may be -inf, and p log p is 0.
    return np.asarray(-(np.exp(log) * np.maximum(log, -1e4)).sum(axis=1))


def _most(evidence: Evidence, trusted: IntArray, measure: Measure) -> IntArray:
    rest = untrusted_rows(evidence, trusted)
    return _descending(rest, per_example(evidence, measure)[rest])


def _descending(rows: IntArray, urgency: FloatArray) -> IntArray:
    return rows[np.argsort(-urgency, kind="stable")].astype(np.int64)
