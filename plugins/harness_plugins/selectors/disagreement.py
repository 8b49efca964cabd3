"""What to annotate next by what several looks of the same student dispute."""

from __future__ import annotations

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Evidence
from harness_plugins.selectors.rows import CHUNK
from harness_plugins.selectors.rows import untrusted as untrusted_rows

PASSES = 10
"""As Gal et al. and the active-learning literature on text use."""


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
        return rest[np.argsort(-disputed(evidence)[rest], kind="stable")].astype(np.int64)


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
