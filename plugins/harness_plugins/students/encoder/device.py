"""How a device computes: precision, streams, attention."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from harness_plugins.encoders import bf16_pays, quick_attention


def autocasts() -> bool:
    """Whether training computes in bfloat16."""
    return bf16_pays()


@contextmanager
def autocast(device: torch.device) -> Iterator[None]:
    """bfloat16 products where the hardware has them; weights and sums stay float32."""
    # A cached copy of weights would outlive the CUDA graph that made it.
    cached, pays = device.type != "cuda", autocasts()
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=pays, cache_enabled=cached):
        yield


@contextmanager
def working_on(device: torch.device) -> Iterator[None]:
    """On a GPU: a stream of its own, as capturing needs it; TF32 for products of float32; and
    ``quick_attention``."""
    if device.type != "cuda":
        yield
        return
    precision, outside = torch.get_float32_matmul_precision(), torch.cuda.current_stream(device)
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(outside)
    torch.set_float32_matmul_precision("high")
    try:
        with torch.cuda.stream(stream), quick_attention(device):
            yield
    finally:
        outside.wait_stream(stream)
        torch.set_float32_matmul_precision(precision)


def release_freed() -> None:
    """Give freed memory back to the system: glibc keeps what batches of many shapes leave."""
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def release_models() -> None:
    """Give back the models of earlier students: they refer to themselves, so they wait for it."""
    gc.collect()
    release_freed()
