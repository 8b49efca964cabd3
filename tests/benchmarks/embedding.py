"""How the ``embedding`` annotator scores against simpler ways, on the pool of real tasks.

    python -m tests.benchmarks.embedding --data DIR [--limit 3000] [--tasks subj,trec,mr]

R0: cosine to names and descriptions. Then, with the tasks' generated demonstrations:
nearest centroid, vote of the ten nearest, logistic regression, and R1, the annotator
itself. All read the same embeddings; gold labels are used for the score alone, but for the
last column, ``10 gold``: up to 1,000 other training rows with their gold labels are the
demonstrations, and each text is shown its ten nearest: what perfect feedback would give.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from harness.data import Demonstrations, FloatArray, IntArray
from harness.plugin_manager import Plugins
from harness.protocols import no_progress
from harness.run.assembly import load_task
from harness.run.splits import Split, load_splits
from harness_plugins.annotators.embedding import EmbeddingAnnotator
from harness_plugins.sentences import sentence_encoder

Way = Callable[[FloatArray, FloatArray, IntArray], IntArray]


def centroid(texts: FloatArray, support: FloatArray, labels: IntArray) -> IntArray:
    centres = np.stack([support[labels == k].mean(axis=0) for k in np.unique(labels)])
    unit = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    return np.asarray((texts @ unit.T).argmax(axis=1))


def ten_nearest(texts: FloatArray, support: FloatArray, labels: IntArray) -> IntArray:
    similarity = texts @ support.T
    nearest = np.argsort(-similarity, axis=1)[:, :10]
    votes = np.zeros((len(texts), labels.max() + 1))
    for column in nearest.T:
        rows = np.arange(len(texts))
        np.add.at(votes, (rows, labels[column]), similarity[rows, column])
    return np.asarray(votes.argmax(axis=1))


def logistic(texts: FloatArray, support: FloatArray, labels: IntArray) -> IntArray:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10, max_iter=1000).fit(support, labels)
    return np.asarray(model.predict(texts))


WAYS: Mapping[str, Way] = {"centroid": centroid, "10 nearest": ten_nearest, "logistic": logistic}


def with_gold(annotator: EmbeddingAnnotator, asked: Split, known: Split) -> IntArray:
    """Labels with the ten nearest of a thousand gold demonstrations."""
    texts = sentence_encoder().embed(list(asked.pool.texts), no_progress)
    shown = sentence_encoder().embed(list(known.pool.texts), no_progress)
    nearest = np.argsort(-(texts @ shown.T), axis=1)[:, :10].astype(np.int32)
    given = Demonstrations(known.pool, known.gold.labels, nearest, source="trusted")
    return annotator.annotate(asked.pool, given, no_progress).labels


def measure(name: str, data: Path, limit: int) -> dict[str, float]:
    task = load_task(name, Plugins(third_party=False), data)
    drawn = load_splits(task, inductive=False, limit=limit + 1000, seed=0).train
    split = drawn.take(np.arange(min(limit, len(drawn.pool))))
    known = drawn.take(np.arange(limit, len(drawn.pool)))
    card, gold = task.card, split.gold.labels
    generated = card.generated
    assert isinstance(generated, Demonstrations)
    annotator = EmbeddingAnnotator(card)

    def share(labels: IntArray) -> float:
        return float((labels == gold).mean())

    scores = {"R0": share(annotator.annotate(split.pool, None, no_progress).labels)}
    texts = sentence_encoder().embed(list(split.pool.texts), no_progress)
    support = sentence_encoder().embed(list(generated.examples.texts), no_progress)
    for way, function in WAYS.items():
        scores[way] = share(function(texts, support, generated.labels))
    scores["R1"] = share(annotator.annotate(split.pool, generated, no_progress).labels)
    if len(known.pool):
        scores["10 gold"] = share(with_gold(annotator, split, known))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=3000)
    parser.add_argument("--tasks", default="mr,trec,subj,sst2,ma")
    options = parser.parse_args()
    print(
        f"{'task':8}" + "".join(f"{name:>12}" for name in ("R0", *WAYS, "R1", "10 gold")),
        flush=True,
    )
    for name in options.tasks.split(","):
        scores = measure(name, options.data, options.limit)
        cells = "".join(f"{100 * score:12.1f}" for score in scores.values())
        print(f"{name:8}{cells}", flush=True)


if __name__ == "__main__":
    main()
