"""Chooses the demonstrations for each example: the nearest by cosine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.data import Demonstrations, FloatArray, IntArray, Pool
from harness.protocols import Progress, no_progress

Embed = Callable[[Sequence[str], Progress], FloatArray]
"""Texts to float32 ``[n, width]``, rows of Euclidean length 1."""

CHUNK = 8192
"""Examples whose cosines are in memory at the same time."""


def retrieved(
    demonstrations: Demonstrations, pool: Pool, shots: int, embed: Embed, progress: Progress
) -> Demonstrations:
    """The same demonstrations with ``nearest`` filled in (FreeAL, section 3.2).

    Most similar first, not balanced by class. No example gets a demonstration of its own text.
    """
    shown = list(demonstrations.examples.texts)
    texts = list(pool.texts)
    distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    rows = np.asarray([distinct[text] for text in texts], dtype=np.int64)
    targets = embed(list(distinct), progress)
    own = np.full((len(distinct), len(shown)), False) if set(shown) & set(distinct) else None
    if own is not None:
        for column, text in enumerate(shown):
            if text in distinct:
                own[distinct[text], column] = True
    order = nearest(targets, embed(shown, no_progress), shots, own)
    return replace(demonstrations, nearest=order[rows])


def nearest(targets: FloatArray, shown: FloatArray, shots: int, own: IntArray | None) -> IntArray:
    """int32 ``[m, min(shots, d)]``: rows of ``shown`` by falling cosine, ties by row.

    Args:
        targets: float32 ``[m, width]``, rows of length 1.
        shown: float32 ``[d, width]``, likewise.
        shots: number per target.
        own: bool ``[m, d]``, True where a row must not be shown, or None; -1 pads a row that
            has too few left.
    """
    count = min(shots, len(shown))
    out = np.empty((len(targets), count), dtype=np.int32)
    for start in range(0, len(targets), CHUNK):
        part = slice(start, start + CHUNK)
        # Cosines are rounded: the last bits of a product differ with its shape, and a tie
        # decided by them would make another prompt on another machine.
        cosines = np.round(targets[part] @ shown.T, 6)
        if own is not None:
            cosines[own[part]] = -np.inf
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        chosen = np.take_along_axis(cosines, order, axis=1)
        out[part] = np.where(np.isneginf(chosen), -1, order)
    return out


def encoder_at(folder: str | None) -> Embed:
    """The packaged encoder, or that of a folder; it loads at first use and embeds a text once."""
    known: dict[str, FloatArray] = {}

    def embed(texts: Sequence[str], progress: Progress) -> FloatArray:
        from harness_plugins.sentences import SentenceEncoder, sentence_encoder

        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            encoder = sentence_encoder() if folder is None else SentenceEncoder(Path(folder))
            known.update(zip(new, encoder.embed(new, progress), strict=True))
        return np.stack([known[text] for text in texts])

    return embed
