"""How much of an annotator's noise other occurrences of the same words give away.

    python -m tests.benchmarks.agreement --data DIR [--tasks conll03,bc5cdr-disease]
        [--rate 0.3] [--limits 500,1000] [--seed 3]

For each task and number of sentences, and all of them: wrong tokens of a simulated annotator that
corrupts a share of the mentions (``noisy``), tokens that ``students.agreement`` doubts, how many of
these are wrong, what it doubts of the gold labels, and its seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np

from harness.plugin_manager import Plugins
from harness.run.assembly import load_task
from harness.run.splits import load_splits
from harness_plugins.students.noise.agreement import contradicted
from tests.benchmarks.ladder import Case, said_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", default="conll03,bc5cdr-disease")
    parser.add_argument("--rate", default="0.3")
    parser.add_argument("--limits", default="500,1000")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    print("| task | sentences | wrong | doubted | of these wrong | doubted of gold | seconds |")
    print("|---" * 7 + "|")
    for name in options.tasks.split(","):
        task = load_task(name, Plugins(third_party=False), options.data)
        whole = load_splits(task, inductive=True, limit=None, seed=options.seed).train
        for limit in (*map(int, options.limits.split(",")), len(whole.pool)):
            train = whole.take(np.arange(min(limit, len(whole.pool))))
            case = Case(name, options.rate, "default", options.seed)
            labels = said_of(case, task, train, options.data).labels
            wrong = labels != train.gold.labels
            began = perf_counter()
            doubted = contradicted(train.pool, labels)
            seconds = perf_counter() - began
            found = (wrong.sum(), doubted.sum(), (doubted & wrong).sum())
            gold = contradicted(train.pool, train.gold.labels).sum()
            cells = [name, len(train.pool), *found, gold, f"{seconds:.2f}"]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
