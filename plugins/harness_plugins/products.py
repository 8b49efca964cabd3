"""Products with a matrix that stays on the GPU where there is one: in float32, on both devices."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from harness.data import FloatArray

Product: TypeAlias = Callable[[FloatArray], FloatArray]


def gpu() -> Any:
    """The GPU as a device of torch, or None.

    Only where torch is loaded, as it is after a student or an annotator that uses the GPU: to
    load it takes longer than the products of a small pool.
    """
    torch = sys.modules.get("torch")
    return torch.device("cuda") if torch is not None and torch.cuda.is_available() else None


def times(matrix: FloatArray) -> Product:
    """A function of float32 ``[m, width]`` that returns its product ``[m, n]`` with the transpose.

    Args:
        matrix: float32 ``[n, width]``.
    """
    device = gpu()
    if device is None:
        return lambda rows: np.asarray(rows @ matrix.T)
    import torch

    # Copied first: an array that is mapped from a file is not torch's to write to.
    right = torch.tensor(matrix, device=device).T
    return lambda rows: np.asarray((torch.tensor(rows, device=device) @ right).cpu().numpy())
