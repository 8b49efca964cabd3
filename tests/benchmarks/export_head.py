"""How close a mean head's standard form comes to it: ``python -m tests.benchmarks.export_head``.

A head with random weights on the packaged encoder, the demo's test texts, a short and a long
one in one padded batch. Differences are shares of the largest logit in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

from harness_plugins.encoders import packaged_folder, quiet_transformers
from harness_plugins.students.encoder import exporting
from harness_plugins.students.encoder.heads import MeanPooled
from harness_tasks.task import DeclaredTask
from tests.exporting import SHIPPED

SCALES = ((0, 17), (8, 6), (10, 6), (12, 6))
"""Powers of two: last layer norm down by, mean up by."""


HALVES = (torch.bfloat16, torch.float16)


def main() -> None:
    quiet_transformers()
    words, model = _texts(), _model()
    wanted = _logits(model, words)
    for half in HALVES:
        plain = _differs(wanted, _logits(_model().to(half).float_head(), words))
        print(f"the head itself, {half}: {plain}", flush=True)
        for down, up in ((0, 17), (12, 6)):
            found = _logits(_made(model, down, up, -12).to(half), words)
            print(f"2^{down} * 2^{up}, {half}: {_differs(wanted, found)}", flush=True)
    for down, up in SCALES:
        for small in (-8, -12):
            found = _logits(_made(model, down, up, small), words)
            print(f"2^{down} * 2^{up}, 2^{small}: {_differs(wanted, found)}", flush=True)


def _made(model: MeanPooled, down: int, up: int, small: int) -> Any:
    exporting.DOWN, exporting.UP, exporting.SMALL = 2.0**down, 2.0**up, 2.0**small
    return exporting.standard_form(model)


class _Head(MeanPooled):
    def float_head(self) -> _Head:
        """The head in float32, as the student computes it under autocast."""
        self.classifier.float()
        return self


def _model() -> _Head:
    encoder = AutoModel.from_pretrained(packaged_folder(), dtype=torch.float32, num_labels=6)
    torch.manual_seed(0)
    model = _Head(encoder, 6).eval()
    torch.nn.init.normal_(model.classifier.weight, std=0.2)
    return model


def _texts() -> Any:
    pool = DeclaredTask(SHIPPED / "demo.toml").load("test")
    assert pool is not None
    texts = [*pool.texts, "Hi.", " ".join(list(pool.texts)[:20])]
    tokenizer = AutoTokenizer.from_pretrained(packaged_folder())
    words = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
    words.pop("token_type_ids")
    return words


def _logits(model: Any, words: Any) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(**words).logits.float()
    return logits


def _differs(wanted: torch.Tensor, found: torch.Tensor) -> str:
    share = float((found - wanted).abs().max() / wanted.abs().max())
    changed = int((found.argmax(1) != wanted.argmax(1)).sum())
    return f"{share:.1e}, {changed} of {len(wanted)} predictions change"


if __name__ == "__main__":
    main()
