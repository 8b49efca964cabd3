"""What the settings of ``minilm`` do to its small losses and its predictions.

    python -m tests.benchmarks.small_loss --data DIR [--task subj] [--limit 1500]

The student learns from the ``embedding`` annotator's own labels (R1). Printed: share of
right predictions on the pool and on 800 further training rows that it never sees, share of
its training labels that it repeats, and how many of the 20 % smallest losses a class are
right, beside the same share for the annotator's own margin.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from harness.config import StudentConfig
from harness.data import FloatArray, IntArray
from harness.plugin_manager import Plugins
from harness.protocols import Aids, no_progress
from harness.run.assembly import load_task
from harness.run.splits import load_splits
from harness_plugins.annotators.embedding import EmbeddingAnnotator
from harness_plugins.encoders import packaged_folder
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.settings import EncoderSettings

HELD_OUT = 800
GRID: tuple[dict[str, Any], ...] = (
    {"epochs": 6, "weighted": False},
    {"weighted": False},
    {"weighted": True},
)
"""Changes of the default settings."""


def smallest(values: FloatArray, labels: IntArray) -> IntArray:
    """Rows of the 20 % smallest values of each label."""
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate([rows[np.argsort(values[rows])][: len(rows) // 5] for rows in members])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", default="subj")
    parser.add_argument("--limit", type=int, default=1500)
    options = parser.parse_args()
    task = load_task(options.task, Plugins(third_party=False), options.data)
    drawn = load_splits(task, inductive=False, limit=options.limit + HELD_OUT, seed=0).train
    inside, outside = np.arange(options.limit), np.arange(options.limit, len(drawn.pool))
    pool, gold = drawn.pool.take(inside), drawn.gold.labels
    said = EmbeddingAnnotator(task.card).annotate(pool, task.card.generated, no_progress)
    right = said.labels == gold[inside]
    sure = smallest(-said.confidence, said.labels)
    print(f"annotator {100 * right.mean():.1f}, its largest margins {100 * right[sure].mean():.1f}")
    print(f"{'settings':36}    pool  held out  repeats   small     s")
    settings = EncoderSettings.of(StudentConfig(), "sequence")
    for changes in GRID:
        began = perf_counter()
        tried = replace(settings, head="mean", **changes)
        student = EncoderStudent(packaged_folder(), "sequence", task.card.classes, tried)
        fitted = student.fit(pool, said, 0, no_progress, Aids())
        view = fitted.view(pool, no_progress)
        unseen = fitted.view(drawn.pool.take(outside), no_progress).predictions
        small = smallest(view.losses(said), said.labels)
        shares = (
            (view.predictions == gold[inside]).mean(),
            (unseen == gold[outside]).mean(),
            (view.predictions == said.labels).mean(),
            right[small].mean(),
        )
        pool_share, held_out, repeats, small_share = (100 * share for share in shares)
        print(
            f"{changes!s:36}{pool_share:8.1f}{held_out:10.1f}{repeats:9.1f}"
            f"{small_share:8.1f}{perf_counter() - began:6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
