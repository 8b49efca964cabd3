"""Small values that several tests build: pools, task cards, evidence, plugins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from harness.config import AnnotatorConfig
from harness.data import (
    Annotations,
    Gold,
    IntArray,
    Label,
    Pool,
    StudentView,
    TaskCard,
    offsets_of,
)
from harness.identity import example_ids
from harness.plugin_manager import Plugins
from harness.protocols import AnnotatorRequest, Evidence, SelectorRequest
from harness.run.feedback import evidence
from harness.specs import parse_spec

HOOKIMPL = "from harness import hookimpl\n"


def text_pool(texts: Sequence[str], split: str = "train") -> Pool:
    ids = example_ids(split, texts)
    return Pool(kind="sequence", split=split, ids=ids, examples=tuple(texts))


def token_pool(sentences: Sequence[str], split: str = "train") -> Pool:
    ids = example_ids(split, sentences)
    examples = tuple(tuple(sentence.split()) for sentence in sentences)
    return Pool(kind="token", split=split, ids=ids, examples=examples)


def sequence_card(*names: str, rules: dict[str, Any] | None = None) -> TaskCard:
    labels = tuple(Label(name, f"It is about {name}.") for name in names)
    return TaskCard("small", "sequence", "accuracy", labels, rules=rules)


def token_card(*types: str, rules: dict[str, Any] | None = None) -> TaskCard:
    labels = tuple(Label(name, f"A name of kind {name}.") for name in types)
    return TaskCard("small-ner", "token", "entity_f1", labels, rules=rules)


def gold_of(labels: Sequence[int] | IntArray, lengths: Sequence[int] | None = None) -> Gold:
    """Gold of a sequence task, or of sentences of the given lengths."""
    offsets = offsets_of(lengths if lengths is not None else [1] * len(labels))
    return Gold("train", np.asarray(labels, dtype=np.int32), offsets)


def random_iob2(rng: np.random.Generator, length: int, types: int) -> list[int]:
    """A valid IOB2 sentence of class indices, drawn at random."""
    tags: list[int] = []
    for _ in range(length):
        choices = [0, *(1 + 2 * kind for kind in range(types))]
        if tags and tags[-1]:
            choices += [tags[-1] + tags[-1] % 2] * types
        tags.append(int(rng.choice(choices)))
    return tags


def valid_iob2(tags: Sequence[int]) -> bool:
    """Whether each I- follows a B- or an I- of its own type."""
    pairs = pairwise([0, *tags])
    return all(tag == 0 or tag % 2 or last in (tag - 1, tag) for last, tag in pairs)


def random_evidence(n: int, groups: int, seed: int = 0, width: int = 6) -> Evidence:
    """Evidence with abstentions and disagreement in it."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(-1, groups, n).astype(np.int32)
    losses = rng.random(n).astype(np.float32)
    losses[classes < 0] = np.nan
    draw = np.random.default_rng([seed, 1])
    logits = 2 * draw.normal(size=(n, groups))
    log = np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), dtype=np.float32)
    return Evidence(
        groups=classes,
        groups_count=groups,
        agrees=(rng.random(n) < 0.8) & (classes >= 0),
        losses=losses,
        annotator_confidence=np.full(n, np.nan, dtype=np.float32),
        student_confidence=rng.random(n).astype(np.float32),
        embeddings=rng.normal(size=(n, width)).astype(np.float32),
        log_probabilities=log,
        labels=classes,
        offsets=np.arange(n + 1),
        asked=np.ones(n, dtype=np.int64),
        askable=np.ones(n, dtype=np.bool_),
    )


def token_evidence(n: int, types: int, seed: int = 0) -> Evidence:
    """Evidence of sentences of one to nine tokens; every seventh has no answer."""
    rng = np.random.default_rng(seed)
    sentences = [random_iob2(rng, int(rng.integers(1, 10)), types) for _ in range(n)]
    offsets = offsets_of([len(tags) for tags in sentences])
    labels = np.concatenate([np.asarray(tags, dtype=np.int32) for tags in sentences])
    logits = rng.normal(size=(len(labels), 2 * types + 1))
    logits[np.arange(len(labels)), labels] += 2
    log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    labels[np.repeat(np.arange(n) % 7 == 0, np.diff(offsets))] = -1
    card = token_card(*(f"T{number}" for number in range(types)))
    predictions = log.argmax(axis=1).astype(np.int32)
    vectors = rng.normal(size=(n, 6)).astype(np.float32)
    view = StudentView(log.astype(np.float32), predictions, vectors, offsets)
    return evidence(Annotations.of(labels, offsets), view, card)


def selector(role: str, spec: str, shots: int = 10) -> Any:
    """A built-in selector, made as a run makes it."""
    parsed = parse_spec(spec)
    part = Plugins(third_party=False).part("selector", f"{role}/{parsed.name}")
    return part.factory(SelectorRequest(parsed, shots))


def annotator(spec: str, task: TaskCard, seed: int = 0) -> Any:
    """A built-in annotator, made as a run makes it."""
    parsed = parse_spec(spec)
    part = Plugins(third_party=False).part("annotator", parsed.name)
    return part.factory(AnnotatorRequest(parsed, task, AnnotatorConfig(), seed))


def install(site: Path, name: str, entry_points: str, version: str = "1.0") -> None:
    """Make the metadata of an installed distribution below ``site``."""
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "METADATA").write_text(metadata, encoding="utf-8")
    (folder / "entry_points.txt").write_text(entry_points, encoding="utf-8")


def plugin_file(path: Path, body: str) -> str:
    """Write a plugin of which only the hooks matter; its path, as ``--plugin`` takes it."""
    path.write_text(HOOKIMPL + body, encoding="utf-8")
    return str(path)
