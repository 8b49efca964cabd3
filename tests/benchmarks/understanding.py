"""How fast recorded replies become annotations: prompts, keys, cache, parsing, columns.

::

    python -m tests.benchmarks.understanding [--texts 100000] [--shots 10]

The first pass fills a cache by a model in this process; the second, which is measured, finds
every reply in it. Demonstrations are assigned beforehand, as a selector assigns them; what it
costs to embed the texts is the encoder's matter, not measured here.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.data import Demonstrations, Pool, TaskCard
from harness.identity import example_ids
from harness.protocols import no_progress
from harness.testing.prompted import WORDS
from harness_plugins.annotators.llm.annotator import LlmAnnotator
from harness_plugins.llm.calls import Call
from harness_plugins.llm.services import OPENAI
from harness_plugins.llm.settings import LlmSettings
from tests.factories import random_iob2, sequence_card, token_card
from tests.models_in_process import Model, account, opener

REPLIES = ("positive", "Negative.", "Label: positive", "The sentence is negative.", "**Positive**")


def pool_of(kind: str, texts: int, split: str) -> Pool:
    """Sentences of 20 words, all different."""
    rng = np.random.default_rng(len(split))
    words = np.asarray(WORDS)[rng.integers(len(WORDS), size=(texts, 20))]
    sentences = [f"{split} {row} {' '.join(line)}" for row, line in enumerate(words)]
    ids = example_ids(split, sentences)
    examples = sentences if kind == "sequence" else [tuple(one.split()) for one in sentences]
    return Pool(kind=kind, split=split, ids=ids, examples=examples)  # type: ignore[arg-type]


def shown_to(pool: Pool, shots: int) -> Demonstrations | None:
    if shots == 0:
        return None
    rng = np.random.default_rng(0)
    examples = pool_of(pool.kind, 100, "generated")
    if pool.kind == "sequence":
        labels = np.arange(100, dtype=np.int32) % 2
    else:
        lengths = np.diff(examples.offsets)
        labels = np.asarray([t for n in lengths for t in random_iob2(rng, n, 4)], dtype=np.int32)
    nearest = rng.integers(100, size=(len(pool), shots)).astype(np.int32)
    return Demonstrations(examples, labels, nearest, source="generated")


def says(task: TaskCard) -> Model:
    """Labels in several forms; for token tasks two mentions of the sentence."""

    def label(call: Call) -> str:
        return REPLIES[len(call.messages[-1].content) % len(REPLIES)]

    def mentions(call: Call) -> str:
        words = call.messages[-1].content.split()
        two = f"{words[5]} {words[6]}"
        return f'[{{"text": "{two}", "type": "PER"}}, {{"text": "{words[9]}", "type": "LOC"}}]'

    return Model(label if task.kind == "sequence" else mentions)


def measure(task: TaskCard, texts: int, shots: int) -> None:
    pool = pool_of(task.kind, texts, "train")
    shown = shown_to(pool, shots)
    settings = LlmSettings(OPENAI, "m", "http://127.0.0.1:1/v1", sampling={"temperature": 0.0})
    model = says(task)
    with tempfile.TemporaryDirectory() as folder:
        seconds, busy = [], []
        for _ in range(2):
            annotator = LlmAnnotator(task, settings, opener=opener(model))
            began, cpu = time.perf_counter(), time.process_time()
            with annotator.open(account(Path(folder))):
                said = annotator.annotate(pool, shown, no_progress)
            seconds.append(time.perf_counter() - began)
            busy.append(time.process_time() - cpu)
    if len(model.calls) != texts:
        sys.exit(f"{len(model.calls)} calls instead of {texts}: the cache did not answer")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{task.kind}: {texts:,} texts, {shots} shots: first pass {seconds[0]:.1f} s, "
        f"from the cache {seconds[1]:.2f} s ({texts / seconds[1]:,.0f} texts/s; "
        f"{busy[1]:.2f} s of processor time), "
        f"answered {said.answered.mean():.3f}, peak memory {peak:,.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--shots", type=int, default=10)
    options = parser.parse_args()
    measure(sequence_card("negative", "positive"), options.texts, options.shots)
    measure(token_card("PER", "ORG", "LOC", "MISC"), options.texts, options.shots)


if __name__ == "__main__":
    main()
