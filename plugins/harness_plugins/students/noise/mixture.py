"""Which labels count as clean: a two-component mixture of their losses."""

from __future__ import annotations

import warnings

import numpy as np

from harness.data import BoolArray, FloatArray, IntArray

FEWEST = 10
"""Fewer losses cannot show two components: all of them count as clean."""


def clean_by_mixture(losses: FloatArray, threshold: float, seed: int) -> BoolArray:
    """Small-loss criterion: bool ``[n]``, P(component of the lower mean | loss) > threshold.

    Losses are scaled to [0, 1]; a Gaussian mixture of two components is fitted in at most 10
    steps, tolerance 1e-2, 5e-4 added to the variances (FreeAL, section 3.3, and its code; after
    Li et al., DivideMix, ICLR 2020). Seeded, which the reference code is not.

    Args:
        losses: float ``[n]``, cross-entropy in nats, all finite.
        threshold: 0.7 in the reference code.
        seed: of the mixture's initial values.
    """
    spread = float(losses.max() - losses.min()) if len(losses) else 0.0
    if len(losses) < FEWEST or spread < 1e-9:
        return np.ones(len(losses), dtype=np.bool_)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    scaled = ((losses - losses.min()) / spread).astype(np.float64).reshape(-1, 1)
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed)
    with warnings.catch_warnings():
        # The method takes ten steps, so no convergence is no failure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(scaled)
    lower = int(mixture.means_.argmin())
    return np.asarray(mixture.predict_proba(scaled)[:, lower] > threshold)


def clean_by_group(losses: FloatArray, groups: IntArray, threshold: float, seed: int) -> BoolArray:
    """The same within each group: bool ``[n]``.

    Ours. Most tokens are ``O``, and easy: one mixture over all would separate ``O`` from mentions
    rather than right from wrong. Classes that the annotator names too seldom have larger losses:
    one mixture over all would reject all their labels, and training on the rest would make that
    worse. ``groups``: int ``[n]``.
    """
    clean = np.ones(len(losses), dtype=np.bool_)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        clean[rows] = clean_by_mixture(losses[rows], threshold, seed)
    return clean
