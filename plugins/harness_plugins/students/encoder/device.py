"""Precision, how a device computes, transfer to it, and running out of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from harness_plugins.encoders import bf16_pays


@contextmanager
def autocast(device: torch.device) -> Iterator[None]:
    """bfloat16 products where the hardware has them; weights and sums stay float32."""
    # A cached copy of weights would outlive the CUDA graph that made it.
    cached, pays = device.type != "cuda", bf16_pays()
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=pays, cache_enabled=cached):
        yield


@contextmanager
def working_on(device: torch.device) -> Iterator[None]:
    """On a GPU: a stream of its own, as capturing needs it; TF32 for products of float32; and no
    attention kernels that are planned anew, for a second, at each new shape."""
    if device.type != "cuda":
        yield
        return
    from torch.nn.attention import SDPBackend, sdpa_kernel

    kernels = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    precision, outside = torch.get_float32_matmul_precision(), torch.cuda.current_stream(device)
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(outside)
    torch.set_float32_matmul_precision("high")
    try:
        with torch.cuda.stream(stream), sdpa_kernel(kernels):
            yield
    finally:
        outside.wait_stream(stream)
        torch.set_float32_matmul_precision(precision)


def mover(device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Copies to the device, from pinned memory where the copy can overlap with computing."""
    if device.type != "cuda":
        return lambda tensor: tensor
    return lambda tensor: tensor.pin_memory().to(device, non_blocking=True)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch means that memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
