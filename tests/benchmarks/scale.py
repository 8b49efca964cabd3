"""Seconds and memory of a pool of a million short texts, memory-mapped and in memory.

    python -m tests.benchmarks.scale [--rows 1000000] [--width 384]
    python -m tests.benchmarks.scale --selectors     each selector (``selector_scale``)

Each way runs in a process of its own: ``mapped`` writes the cache and maps it, ``mapped
again`` finds it there, ``in memory`` keeps every row as Python objects. Printed a step:
seconds, those of the processor (all cores), the process's peak so far (``ru_maxrss``), how much
it rose over the peak before anything was loaded, the most memory of its own that the process
held during the step (``RssAnon``, looked at every few milliseconds: without pages of mapped
files, which the system may take back), and what of that it still holds at the end.

The view is synthetic (float32 embeddings of the given width, 4 classes). Whoever makes it
has it in memory; once it is recorded, it is read back memory-mapped, as in a run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.data import Annotations, Pool, StudentView
from harness.record import codecs
from harness.run.feedback import Feedback, believe, evidence
from harness.run.selecting import select_from
from harness.run.splits import load_splits
from harness_tasks import store
from harness_tasks.task import DeclaredTask
from tests.factories import selector

LABELS = ("harvest", "transport", "weather", "finance")
ADJECTIVES = ("late", "early", "poor", "rich", "sudden", "steady", "local", "foreign")
NOUNS = ("report", "change", "offer", "delay", "plan", "loss", "gain", "notice")
WAYS = ("mapped", "mapped again", "in memory")


def write_task(folder: Path, rows: int) -> None:
    """A task of so many short texts, and its declaration."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 8, (rows, 4)).tolist()
    (folder / "data/many").mkdir(parents=True)
    with (folder / "data/many/train.jsonl").open("w", encoding="utf-8") as file:
        for row, (one, two, three, four) in enumerate(draws):
            label = LABELS[four % 4]
            text = f"A {ADJECTIVES[one]} {NOUNS[two]} on {label} and {NOUNS[three]} no {row}"
            file.write(json.dumps({"text": text, "label": label}) + "\n")
    entries = [f'[[labels]]\nname = "{label}"\ndescription = "On {label}."' for label in LABELS]
    head = 'schema = 1\nname = "many"\nkind = "sequence"\nmetric = "accuracy"'
    (folder / "many.toml").write_text("\n".join([head, *entries]), encoding="utf-8")


def peak() -> float:
    """Largest resident memory so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def own() -> float:
    """Resident memory that is no page of a file, MB; NaN where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


class Highest:
    """The most memory of its own that the process holds between two moments, MB."""

    def __init__(self) -> None:
        self.seen, self._done = own(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self.seen = max(self.seen, own())

    def stop(self) -> float:
        """The highest so far; the watching ends."""
        self._done.set()
        self._thread.join()
        return max(self.seen, own())


@contextmanager
def step(name: str, baseline: float) -> Iterator[None]:
    began, cpu, highest = perf_counter(), process_time(), Highest()
    yield
    seconds, cpu, most = perf_counter() - began, process_time() - cpu, highest.stop()
    print(
        f"{name:26}{seconds:8.1f}{cpu:8.1f}{peak():10.0f}{peak() - baseline:+10.0f}"
        f"{most:10.0f}{own():10.0f}",
        flush=True,
    )


def annotate(pool: Pool) -> Annotations:
    """The label that the text names; every tenth text gets another one, a few get none."""
    labels = np.empty(len(pool), dtype=np.int32)
    for row, text in enumerate(pool.texts):
        labels[row] = next(i for i, label in enumerate(LABELS) if label in text)
    labels[::10] = (labels[::10] + 1) % len(LABELS)
    labels[::997] = -1
    return Annotations.of(labels, pool.offsets)


def view_of(annotations: Annotations, width: int) -> StudentView:
    """A student's view: embeddings and probabilities that follow the annotation in part."""
    rng = np.random.default_rng(1)
    n = len(annotations)
    logits = rng.standard_normal((n, len(LABELS)), dtype=np.float32)
    rows = np.flatnonzero(annotations.answered)
    logits[rows, annotations.labels[rows]] += 2
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    embeddings = rng.standard_normal((n, width), dtype=np.float32)
    predictions = logits.argmax(axis=1).astype(np.int32)
    for array in (logits, embeddings, predictions):
        array.setflags(write=False)  # handed over, not copied
    return StudentView(logits, predictions, embeddings, annotations.offsets)


def work(folder: Path, way: str, width: int) -> None:
    """Every step, in this process."""
    import pyarrow.parquet  # noqa: F401 - part of the baseline, as is what follows
    import safetensors.numpy  # noqa: F401

    if way == "in memory":
        store.IN_MEMORY = sys.maxsize
    baseline = peak()
    columns = ("peak MB", "over it", "own most", "own MB")
    head = f"{'step':26}{'s':>8}{'cpu s':>8}" + "".join(f"{one:>10}" for one in columns)
    print(f"\n{way}\n{head}")
    with step("(imports: the baseline)", baseline):
        task = DeclaredTask(folder / "many.toml", folder / "data")
    with step("load", baseline):
        task.load("train")
    with step("draw in the seed's order", baseline):
        pool = load_splits(task, inductive=False, limit=None, seed=0).train.pool
    with step("annotate (trivial)", baseline):
        said = annotate(pool)
    file = folder / "annotations.parquet"
    with step("write annotations", baseline):
        codecs.write_annotations(file, said, pool, LABELS, 0.0)
    with step("read annotations", baseline):
        said, _ = codecs.read_annotations(file, pool, LABELS)
    with step("view (its arrays)", baseline):
        views = {"train": view_of(said, width)}
    with step("write view", baseline):
        codecs.write_views(folder / "view.safetensors", views, 0.0)
    with step("read view", baseline):
        del views
        views, _ = codecs.read_views(folder / "view.safetensors")
    with step("evidence", baseline):
        seen = evidence(said, views["train"], task.card)
    parts: Any = SimpleNamespace(
        trust=selector("trust", "agreeing-small-loss"),
        demonstrations=selector("demonstrations", "k-medoids"),
        query=selector("query", "untrusted"),
        origin=lambda role: (role, ""),
    )
    with step("select (freeal)", baseline):
        selection = select_from(parts, seen, 0, 0)
    with step("believe", baseline):
        feedback = Feedback(
            believe(said, views["train"], selection.trusted), views, selection, seen.asked
        )
    del seen
    with step("assign demonstrations", baseline):
        rng = np.random.default_rng(0)
        shown = feedback.demonstrations(pool, pool, task.card, parts.demonstrations, rng)
    assert shown is not None
    assert shown.nearest is not None
    print(
        f"{len(pool)} rows: {len(selection.trusted)} trusted, {len(shown)} demonstrations, "
        f"{len(shown.nearest)} rows with their nearest"
    )


def main() -> None:
    if "--selectors" in sys.argv:
        from tests.benchmarks.selector_scale import main as selectors

        selectors([argument for argument in sys.argv[1:] if argument != "--selectors"])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=384, help="of the embeddings")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        work(options.folder, options.way, options.width)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_task(folder, options.rows)
        size = (folder / "data/many/train.jsonl").stat().st_size / 1e6
        print(f"{options.rows} rows, {size:.0f} MB of JSON Lines", flush=True)
        for way in WAYS:
            command = [sys.executable, "-m", "tests.benchmarks.scale", "--way", way]
            command += ["--width", str(options.width)]
            cache = folder / ("unused" if way == "in memory" else "cache")
            environment = {**os.environ, "HARNESS_CACHE": str(cache)}
            subprocess.run([*command, "--folder", name], check=True, env=environment)


if __name__ == "__main__":
    main()
