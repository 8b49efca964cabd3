"""Embeddings of sentences, by the packaged encoder or another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Progress
from harness_plugins.encoders import (
    FILLED,
    bf16_pays,
    device,
    out_of_memory,
    packaged_folder,
    quick_attention,
)
from harness_plugins.lengths import fixed_length
from harness_plugins.packaged import read_config, read_tokenizer

BATCH = 32
"""Texts of a batch, always the same number: another shape of a product rounds differently."""
STEP = 8
"""Lengths are padded to multiples of this number of word pieces."""
FINAL = -1
"""The last layer: the one that all-MiniLM-L6-v2 was trained to embed sentences with."""
MAX_LENGTH = 256
"""Word pieces; the length for which all-MiniLM-L6-v2 was trained (its model card)."""


class SentenceEncoder:
    """Embeds texts: mean of a layer's hidden states over word pieces, length 1.

    Args:
        folder: of an encoder, as ``transformers`` loads it.
        filled: word pieces of a batch of one of few fixed lengths; None: on a GPU ``FILLED``, on a
            CPU batches of ``BATCH`` texts.
    """

    def __init__(self, folder: Path, filled: int | None = None) -> None:
        from harness_plugins.bert import open_encoder

        self._device = device()
        self._filled = FILLED if filled is None and self._device.type == "cuda" else filled
        self._tokenizer = read_tokenizer(folder)
        model = open_encoder(read_config(folder), folder, fused=True)
        self._model = model.to(self._device).eval()

    @property
    def width(self) -> int:
        """Length of an embedding: 384."""
        return int(self._model.config.hidden_size)

    def embed(
        self, texts: Sequence[str], progress: Progress, layers: Sequence[int] = (FINAL,)
    ) -> FloatArray:
        """float32 ``[n, width · layers]``: for each layer an embedding of Euclidean length 1.

        Args:
            texts: each is cut at ``MAX_LENGTH`` word pieces.
            layers: 0 is the input embedding, 6 or ``FINAL`` the last layer.

        On a CPU an embedding does not depend on the other texts, to the bit, since a resumed run
        embeds fewer than an undisturbed one: texts of equal padded length go into batches of one
        size.
        """
        import torch

        out = np.empty((len(texts), self.width * len(layers)), dtype=np.float32)
        if not texts:
            return out
        ids = self._tokenizer(list(texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]
        half = torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=bf16_pays())
        done = 0
        with torch.inference_mode(), half, quick_attention(self._device):
            for rows, found in self._batches(ids, layers):
                out[rows] = found[: len(rows)].cpu().numpy()
                done += len(rows)
                progress(done, len(texts))
        return out

    def _batches(
        self, ids: Sequence[list[int]], layers: Sequence[int]
    ) -> Iterator[tuple[IntArray, Any]]:
        """Rows and their embeddings, the longest first; smaller batches where memory runs out."""
        padded = np.asarray([self._padded(len(one)) for one in ids])
        for length in np.unique(padded)[::-1].tolist():
            members, start = np.flatnonzero(padded == length), 0
            while start < len(members):
                size = self._size(length)
                rows = members[start : start + size]
                try:
                    found = self._embed_batch([ids[row] for row in rows], size, length, layers)
                except RuntimeError as error:
                    if self._filled is None or size == 1 or not out_of_memory(error):
                        raise
                    self._filled //= 2
                else:
                    yield rows, found
                    start += len(rows)

    def _padded(self, pieces: int) -> int:
        """The length to which a text of so many word pieces is padded."""
        return (
            -(-pieces // STEP) * STEP if self._filled is None else fixed_length(pieces, MAX_LENGTH)
        )

    def _size(self, length: int) -> int:
        """Rows of a batch of a length."""
        return BATCH if self._filled is None else max(1, self._filled // length)

    def _embed_batch(
        self, ids: Sequence[list[int]], size: int, length: int, layers: Sequence[int]
    ) -> Any:
        """Embeddings of up to ``size`` rows, computed as ``size`` rows of one length."""
        import torch

        lengths = np.asarray([len(one) for one in ids] + [1] * (size - len(ids)))
        mask = np.arange(length) < lengths[:, None]
        pieces = np.full(mask.shape, self._tokenizer.pad_token_id)
        pieces[: len(ids)][mask[: len(ids)]] = np.concatenate(ids)
        inputs = torch.from_numpy(np.stack([pieces, mask])).to(self._device)
        states = self._model(
            input_ids=inputs[0], attention_mask=inputs[1], output_hidden_states=True
        ).hidden_states
        weights = inputs[1].unsqueeze(-1).float()
        pooled = [(states[one].float() * weights).sum(1) / weights.sum(1) for one in layers]
        return torch.cat([torch.nn.functional.normalize(one, dim=1) for one in pooled], dim=1)


@cache
def sentence_encoder() -> SentenceEncoder:
    """The packaged encoder, loaded once a process."""
    return SentenceEncoder(packaged_folder())
