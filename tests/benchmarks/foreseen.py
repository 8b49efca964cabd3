"""How many labels look wrong to two models that have not seen them (``noise.estimate``).

    python -m tests.benchmarks.foreseen --data DIR [--seeds 3,4]

For each source of labels the true share of wrong labels among the answered ones and the
estimate. On it depends how the preset ``default`` trains.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from harness.plugin_manager import Plugins
from harness.protocols import Aids
from harness.run.assembly import load_task
from harness.run.splits import load_splits
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.noise.estimate import WrongLabels
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys
from harness_plugins.students.sources import packaged
from tests.benchmarks.ladder import Case, said_of

CASES = [
    ("demo", "embedding", 504),
    ("subj", "embedding", 1000),
    ("mr", "embedding", 1000),
    ("trec", "embedding", 1000),
    ("mr", "recorded", 1000),
    ("mr", "recorded", 8662),
    ("subj", "gold", 1000),
    ("mr", "gold", 1000),
    ("mr", "gold", 8000),
    ("trec", "gold", 1000),
    ("subj", "lopsided-0.1", 1000),
    ("trec", "lopsided-0.1", 1000),
    ("mr", "lopsided-0.1", 1000),
    ("subj", "lopsided-0.2", 1000),
    ("trec", "lopsided-0.2", 1000),
    ("mr", "lopsided-0.2", 1000),
]


def estimated(case: Case, limit: int, data: Path) -> tuple[float, WrongLabels | None]:
    """The true share of wrong labels, and the estimate."""
    task = load_task(case.task, Plugins(third_party=False), None if case.task == "demo" else data)
    train = load_splits(task, inductive=True, limit=None, seed=case.seed).train
    train = train.take(np.arange(min(limit, len(train.pool))))
    said = said_of(case, task, train)
    settings = settings_of(EncoderKeys(), "sequence", packaged())
    student = EncoderStudent(packaged(), "sequence", task.card.classes, settings)
    fitted = student.load(packaged().folder)
    given = student.training_data(fitted, train.pool, said, Aids())
    wrong = (said.labels != train.gold.labels)[said.answered]
    return float(wrong.mean()), student.start_head(fitted, given, case.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="3,4")
    options = parser.parse_args()
    heads = ["task", "labels", "texts", "seed", "wrong", "least", "most", "doubted", "likely"]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    recorded = f"replay:{options.data / 'mr' / 'train_gpt35.jsonl'}"
    for task, rung, limit in CASES:
        for seed in options.seeds.split(","):
            method = "supervised" if rung == "gold" else "default"
            labels = recorded if rung == "recorded" else rung
            wrong, found = estimated(Case(task, labels, method, int(seed)), limit, options.data)
            guess = (None,) * 4
            if found is not None:
                guess = (found.least, found.most, found.doubted, found.likely)
            shares = ["" if one is None else f"{100 * one:.1f}" for one in (wrong, *guess)]
            row = [task, rung, str(limit), seed, *shares]
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
