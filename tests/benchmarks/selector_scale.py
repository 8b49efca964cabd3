"""Seconds and memory of each built-in selector on large pools.

    python -m tests.benchmarks.scale --selectors [--only ROLE/NAME] [--rows 10000 100000 1000000]

Six classes, a fifth of the pool trusted, 100 demonstrations, ten shown to each example. Embeddings
are random and memory-mapped, as in a run. Each selector runs in a process of its own. ``cpu s``:
of both cores. ``own MB``: the most memory of its own that the process held (``RssAnon``), evidence
included; ``peak MB``: all resident memory, pages of the mapped file included (``ru_maxrss``).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from harness.data import FloatArray, IntArray
from harness.plugin_manager import Plugins
from harness.protocols import Evidence
from harness.run.feedback import TARGETS
from harness_plugins.selectors.retrieval import RETRIEVALS
from tests.benchmarks.scale import Highest, peak
from tests.factories import selector

ROWS, WIDTHS, CLASSES = (10_000, 100_000, 1_000_000), (384, 768), 6


def specs(only: str | None) -> list[str]:
    """``role/spec`` of all selectors, and of each retrieval."""
    names = [n for n in Plugins(third_party=False).parts("selector") if not n.startswith("preset/")]
    names += [f"retrieval/k-medoids,retrieval={how}" for how in RETRIEVALS]
    return [name for name in names if only is None or only in name]


def write_embeddings(path: Path, rows: int, width: int) -> None:
    """Random float32, a block at a time."""
    rng = np.random.default_rng(0)
    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
    for start in range(0, rows, TARGETS):
        block = mapped[start : start + TARGETS]
        rng.standard_normal(out=block, dtype=np.float32)
    mapped.flush()


def evidence_of(embeddings: FloatArray) -> Evidence:
    """Evidence around embeddings: a student that agrees with most of the labels."""
    rng, n = np.random.default_rng(1), len(embeddings)
    groups = rng.integers(0, CLASSES, n).astype(np.int32)
    logits = rng.standard_normal((n, CLASSES), dtype=np.float32)
    logits[np.arange(n), groups] += 3
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return Evidence(
        groups=groups,
        groups_count=CLASSES,
        agrees=logits.argmax(axis=1) == groups,
        losses=-logits[np.arange(n), groups],
        annotator_confidence=np.full(n, np.nan, dtype=np.float32),
        student_confidence=np.exp(logits.max(axis=1)),
        embeddings=embeddings,
        log_probabilities=logits,
        labels=groups,
        offsets=np.arange(n + 1),
        asked=np.ones(n, dtype=np.int64),
        askable=np.ones(n, dtype=np.bool_),
    )


def work(name: str, seen: Evidence, trusted: IntArray) -> None:
    """Ask one selector as a run does."""
    role, _, spec = name.partition("/")
    rng = np.random.default_rng(2)
    if role == "trust":
        selector(role, spec)(seen, rng)
    elif role == "query":
        selector(role, spec)(seen, trusted, rng)
    elif role == "demonstrations":
        selector(role, spec).choose(seen, trusted, rng)
    else:
        shown = trusted[:100]
        vectors, groups = seen.embeddings[shown], seen.groups[shown]
        part = selector("demonstrations", spec)
        for start in range(0, len(seen), TARGETS):
            targets = seen.embeddings[start : start + TARGETS]
            part.assign(vectors, groups, targets, np.full(len(targets), -1), rng)


def measured(name: str, path: Path) -> None:
    """One line of the table, in this process."""
    seen = evidence_of(np.load(path, mmap_mode="r"))
    trusted = np.arange(0, len(seen), 5)
    selector("trust", "all")(seen, np.random.default_rng(0))  # imports
    began, cpu, highest = perf_counter(), process_time(), Highest()
    work(name, seen, trusted)
    seconds, cpu, own = perf_counter() - began, process_time() - cpu, highest.stop()
    rows, width = seen.embeddings.shape
    print(f"{name:42}{rows:9}{width:6}{seconds:9.2f}{cpu:9.2f}{own:9.0f}{peak():9.0f}", flush=True)


def main(arguments: list[str]) -> None:
    """Every selector at every size, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS)
    parser.add_argument("--width", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--only", help="part of role/name")
    parser.add_argument("--embeddings", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.embeddings:
        measured(options.only, options.embeddings)
        return
    head = f"{'selector':42}{'rows':>9}{'width':>6}{'s':>9}{'cpu s':>9}{'own MB':>9}{'peak MB':>9}"
    print(head, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embeddings.npy"
        for rows in options.rows:
            for width in options.width:
                write_embeddings(path, rows, width)
                for name in specs(options.only):
                    command = [sys.executable, "-m", "tests.benchmarks.selector_scale"]
                    command += ["--only", name, "--embeddings", str(path)]
                    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
