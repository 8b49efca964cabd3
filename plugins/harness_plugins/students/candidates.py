"""Labels out of candidates: an example with several plausible labels teaches each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.data import Annotations, FloatArray, IntArray


def spread(annotations: Annotations) -> tuple[IntArray, Annotations]:
    """Annotations in which an example without label has a row for each of its k candidates.

    Such a row has confidence 1/k: students that weigh labels by confidence learn the average of
    the losses, the naive baseline of learning from partial labels (Feng et al., "Provably
    Consistent Partial-Label Learning", NeurIPS 2020). A label that the annotator put first stays.

    Returns:
        For each row the example that it is of, int64 ``[rows]``, and the annotations.
    """
    named = [
        row if label < 0 else ()
        for row, label in zip(annotations.candidates, annotations.labels, strict=False)
    ]
    if not any(named):
        return np.arange(len(annotations)), annotations
    rows = np.repeat(np.arange(len(annotations)), [max(1, len(one)) for one in named])
    wide = annotations.take(rows)
    labels, confidence = wide.labels.copy(), wide.confidence.copy()
    many = np.flatnonzero([len(named[row]) > 0 for row in rows])
    labels[many] = np.concatenate([_own(one) for one in named if one])
    confidence[many] = [1 / len(named[rows[row]]) for row in many]
    return rows, replace(wide, labels=labels, confidence=confidence, candidates=())


def shares_of(example: IntArray, confidence: FloatArray) -> FloatArray:
    """float ``[rows]``: how much each row counts among those of its example; 1 where it is alone.

    Args:
        example: int ``[rows]``, which example a row is of.
        confidence: float ``[rows]``, NaN counts in full.
    """
    sure = np.nan_to_num(confidence.astype(np.float64), nan=1.0)
    totals, counts = np.bincount(example, sure), np.bincount(example)
    return np.where(counts[example] > 1, sure / np.maximum(totals[example], 1e-12), 1.0)


def _own(candidates: Sequence[int]) -> IntArray:
    return np.asarray(candidates, dtype=np.int32)
