"""Our k-medoids against the FasterPAM of the package kmedoids (GPL-3: install it to compare).

    pip install kmedoids; OMP_NUM_THREADS=1 python -m tests.benchmarks.medoids

3,000 unit vectors of width 384 in 40 loose clusters, 50 medoids, eight seeds; both from vectors
to medoids, in CPU seconds.
"""

from __future__ import annotations

from time import process_time

import numpy as np

from harness.data import FloatArray
from harness_plugins.selectors.medoids import medoids

N, WIDTH, COUNT, SEEDS = 3000, 384, 50, 8


def vectors_of(rng: np.random.Generator) -> FloatArray:
    centres = rng.normal(size=(40, WIDTH))
    vectors = centres[rng.integers(40, size=N)] + 1.5 * rng.normal(size=(N, WIDTH))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def main() -> None:
    import kmedoids  # type: ignore[import-not-found]

    print(f"{'seed':>4}{'kmedoids s':>12}{'loss':>10}{'ours s':>10}{'loss':>10}")
    seconds = []
    for seed in range(SEEDS):
        vectors = vectors_of(np.random.default_rng(seed))
        began = process_time()
        distances = np.clip(1 - vectors @ vectors.T, 0, 2)
        theirs = kmedoids.fasterpam(distances, COUNT, init="random", random_state=seed, n_cpu=1)
        between = process_time()
        ours = medoids(vectors, COUNT, np.random.default_rng(seed))
        seconds.append((between - began, process_time() - between))
        loss = distances[ours].min(axis=0).sum()
        print(
            f"{seed:>4}{seconds[-1][0]:>12.3f}{theirs.loss:>10.2f}{seconds[-1][1]:>10.3f}{loss:>10.2f}"
        )
    print("median ", *(f"{s:.3f}" for s in np.median(seconds, axis=0)))


if __name__ == "__main__":
    main()
