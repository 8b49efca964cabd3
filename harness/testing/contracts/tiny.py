"""A tiny task of each kind: what the contract suites hand to parts. Gold stays here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.data import (
    ABSTAINED,
    Annotations,
    Demonstrations,
    IntArray,
    Kind,
    Label,
    Pool,
    Prompt,
    StudentView,
    TaskCard,
)
from harness.identity import example_ids
from harness.protocols import Evidence
from harness.run.feedback import evidence

WORDS = (("bread", "soup", "salt"), ("train", "road", "wheel"), ("chord", "drum", "song"))
NAMES = ("food", "travel", "music")
FILLER = ("the", "very", "old", "we", "saw", "and", "near", "some", "a", "new")
SIZE, SHOTS = 24, 2


@dataclass(frozen=True, slots=True, eq=False)
class Tiny:
    """A card, a pool of 24 examples, what an annotator said of them, and demonstrations."""

    card: TaskCard
    pool: Pool
    annotations: Annotations
    demonstrations: Demonstrations

    def rows(self, count: int) -> Tiny:
        """The same with the first examples alone."""
        kept = np.arange(count)
        shown = self.demonstrations.nearest
        assert shown is not None
        nearest = replace(self.demonstrations, nearest=shown[kept])
        return Tiny(self.card, self.pool.take(kept), self.annotations.take(kept), nearest)

    def evidence(self, passes: int = 0) -> Evidence:
        """What selectors read: a student that agrees with most labels.

        ``passes``: with dropout, as many.
        """
        rng = np.random.default_rng(7)
        units, classes = int(self.pool.offsets[-1]), len(self.card.classes)
        logits = rng.normal(size=(units, classes))
        answered = self.annotations.labels != ABSTAINED
        logits[answered, self.annotations.labels[answered]] += 3
        log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        said = np.where(answered, self.annotations.labels, 0).astype(np.int32)
        vectors = rng.normal(size=(len(self.pool), 4)).astype(np.float32)
        view = StudentView(log.astype(np.float32), said, vectors, self.pool.offsets)
        found = evidence(self.annotations, view, self.card, pool=self.pool)
        disturbed = [log + rng.normal(size=log.shape) for _ in range(passes)]
        normal = [one - np.log(np.exp(one).sum(axis=1, keepdims=True)) for one in disturbed]
        return replace(found, passes=[one.astype(np.float32) for one in normal])


def tiny(kind: Kind) -> Tiny:
    """The tiny task of a kind; the same at each call."""
    rng = np.random.default_rng(0)
    topics = [row % len(WORDS) for row in range(SIZE)]
    sentences = [
        (str(rng.choice(FILLER)), str(rng.choice(WORDS[topic])), str(rng.choice(FILLER)), f"n{row}")
        for row, topic in enumerate(topics)
    ]
    pool = _pool(kind, "train", sentences)
    labels = _labels(kind, topics)
    labels[: int(pool.offsets[1])] = ABSTAINED  # the first example has no answer
    reasons = ["unsure", *[""] * (SIZE - 1)]
    said = Annotations.of(labels, pool.offsets, reasons=reasons)
    shown = _pool(kind, "generated", [("some", words[0], "and", words[1]) for words in WORDS])
    nearest = np.tile(np.arange(SHOTS, dtype=np.int32), (SIZE, 1))
    demonstrations = Demonstrations(shown, _shown_labels(kind), nearest, "generated")
    return Tiny(_card(kind), pool, said, demonstrations)


def _card(kind: Kind) -> TaskCard:
    lists = [
        {"label": name, "words": list(words)} for name, words in zip(NAMES, WORDS, strict=True)
    ]
    return TaskCard(
        "tiny",
        kind,
        "accuracy" if kind == "sequence" else "entity_f1",
        tuple(Label(name, f"It is about {name}.") for name in NAMES),
        Prompt(question="What is it about?", shots=SHOTS),
        rules={"lists": lists},
    )


def _pool(kind: Kind, split: str, sentences: Sequence[tuple[str, ...]]) -> Pool:
    texts = [" ".join(words) for words in sentences]
    ids = example_ids(split, texts)
    return Pool(kind, split, ids, tuple(texts) if kind == "sequence" else tuple(sentences))


def _labels(kind: Kind, topics: list[int]) -> IntArray:
    if kind == "sequence":
        return np.asarray(topics, dtype=np.int32)
    return np.asarray([[0, 1 + 2 * topic, 0, 0] for topic in topics], dtype=np.int32).ravel()


def _shown_labels(kind: Kind) -> IntArray:
    if kind == "sequence":
        return np.arange(len(WORDS), dtype=np.int32)
    tags = [[0, 1 + 2 * topic, 0, 1 + 2 * topic] for topic in range(len(WORDS))]
    return np.asarray(tags, dtype=np.int32).ravel()
