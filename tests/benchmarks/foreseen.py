"""How many labels probes think wrong that have not seen them (``noise.probing``).

    python -m tests.benchmarks.foreseen --data DIR [--seeds 3,4]

For each source of labels the true share of wrong labels among the answered ones and the
estimated one. On it depends how the preset ``default`` trains.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from harness.plugin_manager import Plugins
from harness.protocols import no_progress
from harness.run.assembly import load_task
from harness.run.splits import load_splits
from harness_plugins.students.encoder.student import PENALTY, EncoderStudent
from harness_plugins.students.noise.probing import first_head
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys
from harness_plugins.students.sources import packaged
from tests.benchmarks.ladder import Case, said_of

CASES = [
    ("demo", "embedding", 504),
    ("subj", "embedding", 1000),
    ("subj", "embedding", 3000),
    ("mr", "embedding", 1000),
    ("trec", "embedding", 1000),
    ("mr", "recorded", 1000),
    ("mr", "recorded", 3000),
    ("mr", "recorded", 8662),
    ("subj", "gold", 1000),
    ("mr", "gold", 1000),
    ("mr", "gold", 8000),
    ("trec", "gold", 1000),
    ("subj", "0.1", 1000),
    ("trec", "0.1", 1000),
    ("mr", "0.1", 3000),
]


def estimated(case: Case, limit: int, data: Path) -> tuple[float, float | None]:
    """True and estimated share of wrong labels."""
    task = load_task(case.task, Plugins(third_party=False), None if case.task == "demo" else data)
    train = load_splits(task, inductive=True, limit=None, seed=case.seed).train
    train = train.take(np.arange(min(limit, len(train.pool))))
    said = said_of(case, task, train, data)
    settings = settings_of(EncoderKeys(), "sequence", packaged())
    student = EncoderStudent(packaged(), "sequence", task.card.classes, settings)
    rows = np.flatnonzero(said.answered)
    view = student.load(packaged().folder).view(train.pool, no_progress)
    labels = said.labels[rows].astype(np.int64)
    *_, found = first_head(
        view.embeddings[rows],
        labels,
        np.ones(len(rows), dtype=np.float32),
        classes=len(task.card.classes),
        penalty=PENALTY,
        estimate=True,
        correct=False,
        seed=case.seed,
    )
    return float((labels != train.gold.labels[rows]).mean()), found.wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="3,4")
    options = parser.parse_args()
    print("| task | labels | texts | seed | wrong % | estimated % |\n" + "|---" * 6 + "|")
    for task, rung, limit in CASES:
        for seed in options.seeds.split(","):
            method = "supervised" if rung == "gold" else "default"
            wrong, guess = estimated(Case(task, rung, method, int(seed)), limit, options.data)
            said = "none" if guess is None else f"{100 * guess:.1f}"
            print(
                f"| {task} | {rung} | {limit} | {seed} | {100 * wrong:.1f} | {said} |", flush=True
            )


if __name__ == "__main__":
    main()
