"""Values that a GPU and a CPU must agree on; ``gpu`` computes them on both and compares.

In float32 all through, so that what differs is the device: batches and kernels.
``gpu_steps`` compares training.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.data import IntArray
from harness.plugin_manager import Plugins
from harness.protocols import no_progress
from harness.run.assembly import load_task
from harness.run.splits import load_splits
from harness_plugins import sentences
from harness_plugins.encoders import packaged_folder
from harness_plugins.llm.calls import Call
from harness_plugins.llm.local import files
from harness_plugins.selectors import contrast, diversity, prototypes, retrieval
from harness_plugins.sentences import FINAL, sentence_encoder
from harness_plugins.students.encoder import device as computing
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys
from harness_plugins.students.sources import packaged
from tests.benchmarks import student as training
from tests.benchmarks.local_scoring import CHOICES, harness_way, prompts
from tests.benchmarks.selector_scale import evidence_of
from tests.tiny_models import write_model

TOLERANCE: Mapping[str, float] = {
    "sentence embeddings": 1e-3,
    "log-probabilities of texts": 1e-2,
    "log-probabilities of tokens": 1e-2,
    "embeddings of sentences": 1e-2,
    "loss of one batch": 1e-3,
    "probabilities of choices": 1e-2,
}
"""Largest mean difference; of ``picks``, the share that may differ, it is ``PICKS``."""
PICKS = 0.02


@contextmanager
def in_float32() -> Iterator[None]:
    """Without bfloat16."""
    places = (sentences, computing, files)
    was = [one.bf16_pays for one in places]
    try:
        for one in places:
            one.bf16_pays = lambda: False  # type: ignore[assignment]
        yield
    finally:
        for one, own in zip(places, was, strict=True):
            one.bf16_pays = own


def values(data: Path, rows: int) -> dict[str, Any]:
    """Arrays by name, of about so many texts each."""
    found: dict[str, Any] = {}
    with in_float32():
        for name, own in (
            ("demo", "log-probabilities of texts"),
            ("demo-ner", "log-probabilities of tokens"),
        ):
            task = load_task(name, Plugins(third_party=False), None)
            pool = load_splits(task, inductive=False, limit=rows, seed=0).train.pool
            card = task.card
            settings = settings_of(EncoderKeys(), card.kind, packaged())
            torch.manual_seed(0)
            student = EncoderStudent(packaged(), card.kind, card.classes, settings)
            view = student.load(packaged_folder()).view(pool, no_progress)
            found[own] = view.log_probabilities
        found["embeddings of sentences"] = view.embeddings
        joined = [" ".join(one) for one in pool.tokens]
        found["sentence embeddings"] = sentence_encoder().embed(joined, no_progress, (FINAL, 3))
        made = training.material(data, rows)
        keys = EncoderKeys(preset="paper", head="mean")
        loss, _ = training.equal_losses(
            packaged_folder(), made, settings_of(keys, "sequence", packaged())
        )
        found["loss of one batch"] = np.asarray(loss)
        with tempfile.TemporaryDirectory() as room:
            calls = [Call("transformers", "m", chat, choices=CHOICES) for chat in prompts(rows)]
            score = harness_way(write_model(Path(room), width=64), True)
            found["probabilities of choices"] = np.exp(score(calls))
    return found | picks(20 * rows)


def picks(rows: int) -> dict[str, IntArray]:
    """What each selector that multiplies matrices chooses from random vectors."""
    rng = np.random.default_rng(0)
    seen = evidence_of(rng.standard_normal((rows, 64), dtype=np.float32))
    trusted, own = np.arange(0, rows, 5), np.full(rows, -1)
    how, groups = retrieval.RETRIEVALS["balanced"], seen.groups[:60]
    return {
        "picks of k-medoids": prototypes.k_medoids(seen, trusted, 40, rng),
        "picks of core-set": diversity.core_set(seen, trusted, rng)[:500],
        "picks of BADGE": diversity.badge(seen, trusted, rng)[:500],
        "picks of CAL": contrast.cal(seen, trusted, rng)[:500],
        "picks of retrieval": retrieval.retrieve(
            how, 10, seen.embeddings[:60], groups, seen.embeddings, own, rng
        ),
    }


def difference(name: str, one: Any, other: Any) -> tuple[float, float]:
    """How far two devices are apart, and how far they may be."""
    if name.startswith("picks"):
        if one.ndim == 1:  # the same rows in any order
            return 1 - len(np.intersect1d(one, other)) / len(one), PICKS
        return float((one != other).mean()), PICKS
    return float(np.abs(one - other).mean()), TOLERANCE[name]
