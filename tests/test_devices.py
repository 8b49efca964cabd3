"""What ``harness doctor`` says of a GPU, and products that give the same on every device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cli.inspect import device
from harness_plugins import products
from harness_plugins.selectors import contrast, diversity, prototypes, retrieval
from tests.benchmarks.selector_scale import evidence_of, write_embeddings

NVRM = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 2023\nGCC 12\n"


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def driver(no_gpu: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text(NVRM)
    monkeypatch.setattr(device, "DRIVER", tmp_path / "version")


def test_a_computer_without_gpu_is_well(
    no_gpu: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "DRIVER", tmp_path / "none")
    assert device.device_found().startswith("CPU, ")


def test_a_torch_for_cpus_beside_a_driver(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(RuntimeError, match=r"driver 535\.104\.05 .* built for CPUs .* install a"):
        device.device_found()


def test_a_driver_that_is_too_old(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def old() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nx")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", old)
    with pytest.raises(RuntimeError, match=r"CUDA 13\.0.* too old \(found version 11040\)\.; upd"):
        device.device_found()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(RuntimeError, match="CUDA_VISIBLE_DEVICES='' hides every GPU; unset it"):
        device.device_found()


def test_nvidia_smi_says_the_version_where_the_kernel_does_not(
    no_gpu: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "DRIVER", tmp_path / "none")
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 470.82.01\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert device.driver_version() == "470.82.01"
    command.write_text("#!/bin/sh\nexit 9\n")
    assert device.driver_version() is None


def test_selectors_choose_the_same_by_products_of_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its CPU here; the code is that of a GPU."""
    write_embeddings(tmp_path / "vectors.npy", 900, 24)
    seen = evidence_of(np.load(tmp_path / "vectors.npy", mmap_mode="r"))
    trusted = np.arange(0, 900, 5)

    def chosen() -> list[np.ndarray]:
        rng = np.random.default_rng(3)
        shown, own = seen.embeddings[:12], np.full(900, -1)
        how = retrieval.RETRIEVALS["balanced"]
        return [
            prototypes.k_medoids(seen, trusted, 9, rng),
            prototypes.diverse(seen, trusted, 9, rng),
            diversity.core_set(seen, trusted, rng),
            diversity.badge(seen, trusted, rng),
            contrast.cal(seen, trusted, rng),
            retrieval.retrieve(how, 6, shown, seen.groups[:12], seen.embeddings, own, rng),
        ]

    assert products.gpu() is None or torch.cuda.is_available()
    wanted = chosen()
    monkeypatch.setattr(products, "gpu", lambda: torch.device("cpu"))
    for one, other in zip(chosen(), wanted, strict=True):
        assert (one == other).mean() > 0.98  # sums of another order may turn a tie
