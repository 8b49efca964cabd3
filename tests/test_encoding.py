"""What is recorded is read back without loss, however many rows are written at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.data import ABSTAINED, Annotations, Pool, StudentView
from harness.errors import CorruptRunError
from harness.identity import text_key
from harness.record import codecs
from harness.record.codecs import read_annotations, read_views, write_annotations, write_views
from tests.factories import random_iob2, text_pool, token_pool

CLASSES = {"sequence": ("up", "down", "flat"), "token": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")}


def said_about(kind: str) -> tuple[Pool, Annotations]:
    """Random labels for 50 examples, none for every seventh, all columns filled."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 6, 50).tolist()
    sentences = [" ".join(f"w{row}" for _ in range(length)) for row, length in enumerate(lengths)]
    pool = text_pool(sentences) if kind == "sequence" else token_pool(sentences)
    if kind == "sequence":
        labels = rng.integers(0, 3, 50)
    else:
        labels = np.concatenate([random_iob2(rng, length, 2) for length in lengths])
    silent = np.arange(50) % 7 == 0
    labels[np.repeat(silent, np.diff(pool.offsets))] = ABSTAINED
    return pool, Annotations(
        labels=labels.astype(np.int32),
        offsets=pool.offsets,
        confidence=np.where(silent, np.nan, rng.random(50)).astype(np.float32),
        reasons=tuple("said nothing" if one else "" for one in silent),
        replies=tuple(f"reply {row} – é" for row in range(50)),
        requests=np.arange(50),
        tokens=np.arange(50) * 3,
        cost_usd=rng.random(50),
        candidates=tuple((2, 0) if one and kind == "sequence" else () for one in silent),
    )


@pytest.mark.parametrize("chunk", [7, 50, 65_536])
@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_annotations(
    kind: Any, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "CHUNK", chunk)
    pool, said = said_about(kind)
    file = tmp_path / "said.parquet"
    write_annotations(file, said, pool, CLASSES[kind], 0.1)
    read, seconds = read_annotations(file, pool, CLASSES[kind])
    assert seconds == 0.1
    for name in ("labels", "offsets", "confidence", "requests", "tokens", "cost_usd"):
        one, other = getattr(read, name), getattr(said, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other, equal_nan=name == "confidence")
    assert (read.reasons, read.replies) == (said.reasons, said.replies)
    assert read.candidates == said.candidates
    table = pq.read_table(file).to_pydict()
    assert table["id"] == list(pool.ids)
    assert table["text_key"] == [text_key(text) for text in pool.texts]
    column = table["label" if kind == "sequence" else "tags"]
    assert [value is None for value in column] == (~said.answered).tolist()


@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_a_label_that_the_task_does_not_have_is_refused(kind: Any, tmp_path: Path) -> None:
    pool, said = said_about(kind)
    write_annotations(tmp_path / "said.parquet", said, pool, CLASSES[kind], 0.1)
    with pytest.raises(CorruptRunError, match=r"said\.parquet: names a label"):
        read_annotations(tmp_path / "said.parquet", pool, CLASSES[kind][:-1])


def test_records_of_earlier_programs_have_no_candidates(tmp_path: Path) -> None:
    pool, said = said_about("sequence")
    file = tmp_path / "said.parquet"
    write_annotations(file, said, pool, CLASSES["sequence"], 0.1)
    pq.write_table(pq.read_table(file).drop_columns(["candidates"]), file)
    read, _ = read_annotations(file, pool, CLASSES["sequence"])
    assert (read.candidates, read.replies) == (((),) * 50, said.replies)


def test_views(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    view = StudentView(
        log_probabilities=np.log(rng.dirichlet(np.ones(3), 20)).astype(np.float32),
        predictions=rng.integers(0, 3, 20).astype(np.int32),
        embeddings=rng.normal(size=(20, 4)).astype(np.float32),
        offsets=np.arange(21),
    )
    write_views(tmp_path / "view.safetensors", {"train": view}, 2.5)
    views, seconds = read_views(tmp_path / "view.safetensors")
    assert (list(views), seconds) == (["train"], 2.5)
    for name in ("log_probabilities", "predictions", "embeddings", "offsets"):
        read = getattr(views["train"], name)
        assert np.array_equal(read, getattr(view, name))
        assert not read.flags.writeable
