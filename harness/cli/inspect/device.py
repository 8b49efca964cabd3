"""What this computer trains on, how fast it is, and what keeps a GPU from being used."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

DRIVER = Path("/proc/driver/nvidia/version")
"""The kernel module of NVIDIA's driver says its version here (Linux)."""
SECONDS = 0.2
"""For which each rate is measured at least."""
SIDE, BYTES = 8192, 2**30
"""Rows and columns of the matrices, bytes of what is copied; less on a GPU with little memory."""


def device_found() -> str:
    """The GPU with its rates, or the CPU where there is no GPU.

    Raises:
        RuntimeError: if there is an NVIDIA driver, and torch cannot use its GPU: why, what to do.
    """
    import torch

    if torch.cuda.is_available():
        return _gpu()
    driver = driver_version()
    if driver is None or torch.version.hip:
        return f"CPU, {torch.get_num_threads()} threads (no GPU found)"
    raise RuntimeError(f"NVIDIA's driver {driver} is here, but {_hindrance()}")


def driver_version() -> str | None:
    """The version of NVIDIA's driver; None where there is none."""
    if DRIVER.is_file():
        found = re.search(r"\d+(\.\d+)+", DRIVER.read_text(encoding="utf-8", errors="replace"))
        return found[0] if found else "of unknown version"
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    asked = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return said.split()[0] if said.split() else None


def _hindrance() -> str:
    """What keeps torch from using the GPU, and what to do."""
    import torch

    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} is built for CPUs alone, so no GPU is used; "
            "install a build for CUDA (pytorch.org/get-started)"
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return f"CUDA_VISIBLE_DEVICES={visible!r} hides every GPU; unset it"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        why = (str(error).strip().splitlines() or [repr(error)])[0]
    else:
        why = "it finds no GPU"
    return (
        f"torch {torch.__version__} (CUDA {torch.version.cuda}) uses no GPU: {why}; "
        "update the driver, or install a build of torch for an older CUDA"
    )


def _gpu() -> str:
    import torch

    half = torch.cuda.is_bf16_supported(including_emulation=False)
    kind = "bfloat16" if half else "float32"
    lacks = "" if half else "; it has no bfloat16 (from Ampere on), so training is slower"
    free = torch.cuda.mem_get_info()[0] / 2**30
    return (
        f"GPU {torch.cuda.get_device_name()}, driver {driver_version() or 'of unknown version'}, "
        f"CUDA {torch.version.cuda}, {free:.0f} GiB free; {matrix_rate() / 1e12:,.0f} TFLOP/s "
        f"({kind} products), {copy_rate() / 1e9:,.0f} GB/s (copies, read and written){lacks}"
    )


def matrix_rate() -> float:
    """FLOP/s of products of large matrices on the GPU: in bfloat16 where it has that."""
    import torch

    half = torch.cuda.is_bf16_supported(including_emulation=False)
    kind = torch.bfloat16 if half else torch.float32
    side = SIDE if torch.cuda.mem_get_info()[0] > 8 * SIDE**2 * kind.itemsize else SIDE // 4
    left, right = (torch.randn(side, side, device="cuda", dtype=kind) for _ in range(2))
    return 2 * side**3 * _a_second(lambda: left @ right)


def copy_rate() -> float:
    """Bytes a second that the GPU's memory reads and writes when it copies."""
    import torch

    size = min(BYTES, torch.cuda.mem_get_info()[0] // 4)
    source = torch.empty(size, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * size * _a_second(lambda: target.copy_(source))


def _a_second(work: Callable[[], object]) -> float:
    """How often a second the GPU does it; the first time, when libraries load, is not counted."""
    import torch

    work()
    count = 1
    while True:
        torch.cuda.synchronize()
        began = perf_counter()
        for _ in range(count):
            work()
        torch.cuda.synchronize()
        seconds = perf_counter() - began
        if seconds > SECONDS:
            return count / seconds
        count = math.ceil(count * min(10, 1.5 * SECONDS / seconds))
