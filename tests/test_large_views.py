"""The view of a large pool is mapped, not read, and nothing copies all of its embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from harness.data import Annotations, Selection, StudentView
from harness.record.codecs import read_views, write_views
from harness.run import feedback
from harness.run.feedback import Feedback
from tests.factories import selector, sequence_card, text_pool

CARD = sequence_card("a", "b")


def view_of(n: int, seed: int = 0) -> StudentView:
    rng = np.random.default_rng(seed)
    log_probabilities = np.log(rng.dirichlet(np.ones(2), n)).astype(np.float32)
    return StudentView(
        log_probabilities=log_probabilities,
        predictions=log_probabilities.argmax(axis=1).astype(np.int32),
        embeddings=rng.normal(size=(n, 5)).astype(np.float32),
        offsets=np.arange(n + 1),
    )


def test_a_view_is_mapped_and_its_file_is_read_by_others(tmp_path: Path) -> None:
    file = tmp_path / "view.safetensors"
    written = {"train": view_of(40), "test": view_of(7, seed=1)}
    write_views(file, written, 0.5)
    views, _ = read_views(file)
    others = load_file(file)
    for name, view in views.items():
        for column in ("log_probabilities", "predictions", "embeddings", "offsets"):
            array: Any = getattr(view, column)
            assert isinstance(array.base, np.memmap)
            assert array.dtype == getattr(written[name], column).dtype
            assert np.array_equal(array, getattr(written[name], column))
            assert np.array_equal(array, others[f"{name}.{column}"])


def test_a_view_of_no_width_is_read(tmp_path: Path) -> None:
    view = view_of(3)
    flat = StudentView(
        view.log_probabilities, view.predictions, np.zeros((3, 0), np.float32), view.offsets
    )
    write_views(tmp_path / "view.safetensors", {"train": flat}, 0.0)
    assert read_views(tmp_path / "view.safetensors")[0]["train"].embeddings.shape == (3, 0)


class _Watched:
    """A demonstration selector that notes how many targets it was shown at a time."""

    def __init__(self, kind: str) -> None:
        self.part, self.seen = selector("demonstrations", kind, 4), list[int]()

    def assign(self, embeddings: Any, groups: Any, targets: Any, own: Any, rng: Any) -> Any:
        self.seen.append(len(targets))
        assert len(own) == len(targets)
        return self.part.assign(embeddings, groups, targets, own, rng)


@pytest.mark.parametrize("kind", ["k-medoids", "random"])
def test_demonstrations_found_in_parts_are_those_found_at_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, chosen = 50, np.arange(0, 50, 4)
    pool, view = text_pool([f"text {row}" for row in range(n)]), view_of(n)
    requested = np.random.default_rng(2).permutation(n)[:45]
    said = Annotations.of(np.arange(n) % 2, pool.offsets)
    found = Feedback(said, {"train": view}, Selection(chosen, chosen, requested), requested)

    def nearest(watched: Any) -> Any:
        rng = np.random.default_rng(3)
        demonstrations = found.demonstrations(pool, pool, CARD, watched, rng)
        assert demonstrations is not None
        return demonstrations.nearest

    whole, parts = _Watched(kind), _Watched(kind)
    at_once = nearest(whole)
    monkeypatch.setattr(feedback, "TARGETS", 20)
    assert np.array_equal(nearest(parts), at_once)
    assert (whole.seen, parts.seen) == ([45], [20, 20, 5])
    # No example is its own demonstration, in whichever part it comes.
    shown = np.where(at_once >= 0, chosen[at_once], -1)
    assert not (shown == requested[:, None]).any()
