"""Whose labels are better, annotator's, student's, or both together; and does a run know?

    python -m tests.benchmarks.whose --data DIR RUNS...

Of each finished run of texts below the folders ``RUNS``, each round: how many labels of the pool
are right (gold), on the rows that the annotator answered and on all, by annotator (the student's
where it abstained), student, and both (``stats.combined``). Where they differ on 5 % of the
answers, ``run.scoring.whose`` says which to take; counted is how often that is the better one.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.plugin_manager import Plugins
from harness.record.finished import FinishedRun
from harness.run.assembly import load_task
from harness.run.feedback import together
from harness.run.scoring import whose
from harness.run.splits import splits_of


def rounds(folder: Path, data: Path, plugins: Plugins) -> Iterator[tuple[list[float], str | None]]:
    """Of each round the six shares, and what is said."""
    run = FinishedRun.open(folder)
    task = load_task(run.config.task, plugins, data)
    train = splits_of(run.config, task).train
    if task.card.kind == "token":
        return
    for round_ in range(run.config.rounds):
        said, view = run.annotations(round_, train.pool, task), run.view(round_)
        assert said is not None
        both = together(said, view, task.card)
        assert both is not None
        filled = np.where(said.answered, said.labels, view.predictions)
        right = [one == train.gold.labels for one in (filled, view.predictions, both)]
        shares = [float(one[rows].mean()) for rows in (said.answered, ...) for one in right]
        yield shares, whose(said, view, both)


def main() -> None:
    """Print a line for each kind of annotator and student, and what became of the advice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("folders", type=Path, nargs="+")
    asked = parser.parse_args()
    plugins = Plugins(third_party=False)
    found, advice = defaultdict[str, list[list[float]]](list), defaultdict[str, list[bool]](list)
    for path in {one.parent.name: one.parent for of in asked.folders
                 for one in sorted(of.rglob("result.json"))}.values():  # fmt: skip
        try:
            config = FinishedRun.open(path).config
            preset = config.model_dump()["student"].get("preset")
            name = f"{config.annotator.spec.partition(':')[0]}, {config.student.spec}, {preset}"
            for shares, said in rounds(path, asked.data, plugins):
                found[name].append(shares)
                if said is not None:
                    annotator = said.startswith("the annotator")
                    advice[name].append(annotator == (shares[0] > shares[1]))
        except HarnessError as error:
            print(f"left out: {error}")
    for name, lines in sorted(found.items()):
        shown = " ".join(f"{100 * one:5.1f}" for one in np.mean(lines, axis=0))
        told = advice[name]
        print(f"{name}: {len(lines)} rounds: {shown}; advice right {sum(told)} of {len(told)}")


if __name__ == "__main__":
    main()
