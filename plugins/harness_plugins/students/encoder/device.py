"""Precision, transfer to the device, and running out of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from harness_plugins.encoders import bf16_pays


@contextmanager
def autocast(device: torch.device) -> Iterator[None]:
    """bfloat16 products where the hardware has them; weights and sums stay float32."""
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16_pays()):
        yield


def mover(device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Copies to the device, from pinned memory where the copy can overlap with computing."""
    if device.type != "cuda":
        return lambda tensor: tensor
    return lambda tensor: tensor.pin_memory().to(device, non_blocking=True)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch means that memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
