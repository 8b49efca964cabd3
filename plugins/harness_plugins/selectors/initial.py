"""What to annotate in the first round, when there is no student yet: by chance, or far apart.

Each takes a pool, a generator and an amount (a number, or a share) and returns rows, int64.
"""

from __future__ import annotations

import numpy as np

from harness.config import count_of
from harness.data import IntArray, Pool
from harness_plugins.selectors.diversity import farthest_first, random_start

AMOUNT = 0.1
"""A share, of the low-budget variant (FreeAL, table 8)."""


def random(pool: Pool, rng: np.random.Generator, amount: float = AMOUNT) -> IntArray:
    """Some rows, each with the same chance (the low-budget variant of FreeAL)."""
    return rng.permutation(len(pool))[: count_of(amount, len(pool))].astype(np.int64)


def diverse(pool: Pool, rng: np.random.Generator, amount: float = AMOUNT) -> IntArray:
    """Each row the one farthest from those before (k-centre, as ``diversity.core_set``).

    By the packaged encoder's sentence embeddings; the first row is drawn.
    """
    from harness.protocols import no_progress
    from harness_plugins.sentences import sentence_encoder

    vectors = sentence_encoder().embed(list(pool.texts), no_progress)
    start = random_start(len(vectors), rng)
    return farthest_first(vectors, count_of(amount, len(pool)), start)[0]
