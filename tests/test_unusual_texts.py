"""The ``tfidf`` student on texts that have no words in common, or no words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.data import Annotations, Pool
from harness.protocols import Aids, no_progress
from harness_plugins.students.tfidf import TfidfStudent

TEXTS = {
    "Chinese": ["质量很差，不推荐", "物流很快", "性价比高", "服务差"],
    "Thai": ["สวัสดี", "ดีมาก"],
    "emoji": ["😀😀", "😡", "👍👍", "🎉"],
    "one text": ["one text"],
    "one emoji": ["👍"],
    "no word twice": ["a", "b", "c"],
    "all alike": ["0", "0", "0"],
}


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_texts_without_common_words_are_learnt(tmp_path: Path, texts: Sequence[str]) -> None:
    ids = tuple(f"train:{number}" for number in range(len(texts)))
    pool = Pool(kind="sequence", split="train", ids=ids, examples=texts)
    labels = np.arange(len(texts), dtype=np.int32) % 2
    fitted = TfidfStudent(2).fit(pool, Annotations.of(labels, pool.offsets), 0, no_progress, Aids())
    view = fitted.view(pool, no_progress)
    if len(set(texts)) == len(texts):
        assert view.predictions.tolist() == labels.tolist()
    assert np.isfinite(view.embeddings).all()
    fitted.save(tmp_path)
    again = TfidfStudent(2).load(tmp_path).view(pool, no_progress)
    assert np.array_equal(again.log_probabilities, view.log_probabilities)
