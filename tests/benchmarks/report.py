"""Seconds, memory and size of ``harness report`` over many runs of large pools.

    python -m tests.benchmarks.report [--runs 200] [--rows 10000] [--keep DIR]

One run is real (``noisy:0.3``, ``tfidf``, two rounds, texts of about 110 characters); the others
are copies of it under other seeds and settings, forty methods of five seeds each, with other
right and wrong examples. The report runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from harness.record import layout
from harness.record.folder import RunFolder
from harness.record.outcomes import SplitOutcomes, read_outcomes, write_outcomes
from harness.stats.outcomes import Outcomes

LABELS = ("harvest", "transport", "weather", "finance")
WORDS = ("late", "early", "poor", "rich", "sudden", "steady", "local", "foreign", "report")
SEEDS = 5


def main() -> None:
    """Print two lines."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=200)
    asked.add_argument("--rows", type=int, default=10_000)
    asked.add_argument("--keep", type=Path, help="a new folder for the runs and the page")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        _make(folder, given.runs, given.rows)
        page = folder / "report.html"
        began, before = perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        _harness(
            folder,
            "report",
            "-o",
            page,
            "--task",
            "many",
            "--out",
            folder / "runs",
            "--data",
            folder / "data",
        )
        seconds = perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
        size = page.stat().st_size / 1e6
        print(f"{given.runs} runs of {given.rows} examples: {seconds:.1f} s, {size:.1f} MB")
        print(
            f"{busy:.1f} s of the processor; peak {used.ru_maxrss / 2**20:.2f} GiB, of the run too"
        )


def _harness(folder: Path, *arguments: object) -> None:
    program = Path(sys.executable).with_name("harness")
    environment = {**os.environ, "HARNESS_CACHE": str(folder / "cache")}
    command = [str(program), *map(str, arguments)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def _make(folder: Path, runs: int, rows: int) -> None:
    """A task, one run of it, and its copies."""
    rng, data = np.random.default_rng(0), folder / "data/many"
    data.mkdir(parents=True)
    for split, count in (("train", rows), ("test", rows)):
        labels = rng.integers(len(LABELS), size=count)
        lines = [
            json.dumps(
                {
                    "text": f"{LABELS[k]} " + " ".join(rng.choice(WORDS, 16)) + f" {n}",
                    "label": LABELS[k],
                }
            )
            for n, k in enumerate(labels.tolist())
        ]
        (data / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    listed = "".join(f'[[labels]]\nname = "{n}"\ndescription = "About {n}."\n' for n in LABELS)
    task = folder / "many.toml"
    head = 'schema = 1\nname = "many"\nkind = "sequence"\nmetric = "accuracy"\n'
    task.write_text(head + listed)
    where = ("--out", folder / "runs", "--data", folder / "data")
    parts = ("--task", task, "--annotator", "noisy:0.3", "--student", "tfidf")
    _harness(folder, "run", *parts, "--rounds", 2, "--json", *where)
    (first,) = layout.run_folders(folder / "runs")
    for number in range(1, runs):
        _copy(first, first.with_name(f"{first.name}-{number}"), number, rng)


def _copy(first: Path, other: Path, number: int, rng: np.random.Generator) -> None:
    shutil.copytree(first, other)
    with RunFolder.held(other) as run:
        values = run.read_json(layout.RESULT)
        values["run_id"] = other.name
        values["config"]["seed"] = number % SEEDS
        values["config"]["demonstrations"]["shots"] = number // SEEDS
        for stage in values["stages"]:
            name = layout.outcomes(stage["stage"])
            kept = {k: _changed(one, rng) for k, one in run.read(name, read_outcomes).items()}
            run.write(name, lambda path, kept=kept: write_outcomes(path, kept))
            for split, field in (("train", "transductive"), ("test", "inductive")):
                if stage[field] is not None:
                    stage[field]["score"] = kept[split].outcomes.score
        run.write_text(layout.RESULT, json.dumps(values))


def _changed(one: SplitOutcomes, rng: np.random.Generator) -> SplitOutcomes:
    """Other examples right and wrong, up to a tenth, in another order."""
    counts = one.outcomes.counts ^ (rng.random(one.outcomes.counts.shape) < rng.random() / 10)
    order = rng.permutation(len(one.ids))
    return SplitOutcomes(one.ids.take(order), Outcomes(counts[:, order]))


if __name__ == "__main__":
    main()
