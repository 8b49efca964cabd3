"""Looking at a pool and embedding texts in batches of few shapes, as on a GPU: the same values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.data import IntArray
from harness.protocols import no_progress
from harness_plugins import sentences
from harness_plugins.lengths import fixed_lengths
from harness_plugins.sentences import SentenceEncoder
from harness_plugins.students.encoder import device, inference
from harness_plugins.students.encoder.inference import infer
from harness_plugins.students.encoder.pieces import make_pieces
from tests.test_fixed_shapes import pool_of
from tests.test_training import EVERYTHING, student
from tests.tiny_encoders import write_bert, write_roberta


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("looking")
    return {"bert": write_bert(root / "bert"), "roberta": write_roberta(root / "roberta")}


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "bf16_pays", lambda: False)
    monkeypatch.setattr(sentences, "bf16_pays", lambda: False)


def watched(module: torch.nn.Module) -> list[tuple[int, int]]:
    """Rows and length of every batch that the module reads from now on."""
    seen: list[tuple[int, int]] = []

    def look(_: Any, args: Any, kwargs: Any) -> None:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        seen.append(tuple(ids.shape))

    module.register_forward_pre_hook(look, with_kwargs=True)
    return seen


def encoder_of(model: torch.nn.Module) -> torch.nn.Module:
    """The innermost module that reads word pieces."""
    return next(one for one in model.modules() if hasattr(one, "embeddings"))


@pytest.mark.parametrize("kind", ["sequence", "token"])
@pytest.mark.parametrize("encoder", ["bert", "roberta"])
def test_fixed_batches_see_what_exact_ones_see(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, kind: Any, encoder: str
) -> None:
    fitted = student(folders[encoder], EVERYTHING, kind).load(folders[encoder])
    (pieces,) = make_pieces(pool_of(kind, 300, longest=44), fitted.tokenizer, 64)
    model, pad = fitted.model, fitted.pad
    wanted = infer(model, pieces, pad, 64)
    monkeypatch.setattr(inference, "FILLED", 1024)
    seen, told = watched(encoder_of(model)), list[tuple[int, int]]()
    found = infer(model, pieces, pad, 64, lambda *now: told.append(now), fixed=True)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert {length for _, length in seen} <= set(fixed_lengths(64))
    assert len(set(seen)) <= 8 and {rows for rows, length in seen if length == 32} == {32}
    assert told[-1] == (300, 300)
    rows: IntArray = np.arange(3, 300, 7)
    some = infer(model, pieces, pad, 64, rows=rows, fixed=True)
    units = pieces.units_of(rows)
    torch.testing.assert_close(some[0][units], wanted[0][units], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(some[1][rows], wanted[1][rows], atol=1e-5, rtol=1e-4)


def test_fixed_batches_shrink_until_they_fit(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = student(folders["bert"], EVERYTHING, "sequence").load(folders["bert"])
    (pieces,) = make_pieces(pool_of("sequence", 90), fitted.tokenizer, 64)
    wanted, _ = infer(fitted.model, pieces, fitted.pad, 64)
    features = fitted.model.features

    def small(ids: torch.Tensor, *more: Any) -> Any:
        if ids.numel() > 500:
            raise torch.OutOfMemoryError
        return features(ids, *more)

    monkeypatch.setattr(fitted.model, "features", small)
    monkeypatch.setattr(inference, "FILLED", 4096)
    found, _ = infer(fitted.model, pieces, fitted.pad, 64, fixed=True)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_embeddings_of_filled_batches(folders: dict[str, Path]) -> None:
    texts = list(pool_of("sequence", 200, longest=60).texts)
    wanted = SentenceEncoder(folders["bert"]).embed(texts, no_progress, layers=(0, -1))
    filling = SentenceEncoder(folders["bert"], filled=1024)
    seen, network = watched(filling._model), filling._model.forward
    told: list[tuple[int, int]] = []
    found = filling.embed(texts, lambda *now: told.append(now), layers=(0, -1))
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    assert told[-1] == (200, 200)
    assert len(set(seen)) <= 8
    assert all(rows * length in (1024, 1008, 960) for rows, length in seen)

    def small(*args: Any, **inputs: Any) -> Any:
        if inputs["input_ids"].numel() > 500:
            raise torch.OutOfMemoryError
        return network(*args, **inputs)

    filling._model.forward = small
    told.clear()
    found = filling.embed(texts, lambda *now: told.append(now), layers=(0, -1))
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    assert told[-1] == (200, 200)
