"""An encoder whose mean and sentence token nobody has tuned: a small stand-in for RoBERTa.

    python -m tests.benchmarks.untuned --data DIR --out FOLDER [--steps 350] [--outlier]

The packaged encoder, trained on as a masked language model (Devlin et al., 2019) on the training
texts of six tasks, 64 rows a step: about 15 minutes on one core. ``--outlier`` shrinks its last
layer's output and gives it one dimension that dwarfs all others, as RoBERTa's has. Then, for
instance: harness run --student transformers:FOLDER --data DIR --task trec --annotator noisy:0.2
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from harness.files.jsonl import read_jsonl
from harness_plugins.encoders import packaged_folder

TASKS = ("mr", "subj", "trec", "ma", "conll03", "bc5cdr_disease")
LENGTH, ROWS, MASKED, RATE, RISING = 64, 64, 0.15, 4e-4, 50
SHRUNK, OUTLIER, CENTRE, STRETCHED = 0.12, 188, 12.0, 6.0


def texts(data: Path) -> Iterator[str]:
    """The training texts of ``TASKS``."""
    for task in TASKS:
        for _, row in read_jsonl(data / task / "train.jsonl"):
            yield row.get("text") or " ".join(row["tokens"])


def train(model: Any, tokenizer: Any, rows: list[list[int]], steps: int) -> None:
    """So many steps at a rate that rises and then falls."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    rng = np.random.default_rng(0)
    model.train()
    for step in range(steps):
        chosen = [torch.tensor(rows[one]) for one in rng.integers(len(rows), size=ROWS)]
        ids = torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True)
        words = (ids != tokenizer.pad_token_id) & (ids != tokenizer.cls_token_id)
        words &= ids != tokenizer.sep_token_id
        drawn = torch.from_numpy(rng.random(ids.shape))
        hidden = (drawn < MASKED) & words
        shown = torch.where(hidden & (drawn < 0.8 * MASKED), tokenizer.mask_token_id, ids)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, step / RISING) * max(0.05, 1 - step / steps)
        mask = (ids != tokenizer.pad_token_id).long()
        states = model.base_model(input_ids=shown, attention_mask=mask).last_hidden_state
        loss = torch.nn.functional.cross_entropy(model.cls(states[hidden]), ids[hidden])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.2f}", flush=True)


def add_outlier(model: Any) -> None:
    """One large dimension beside many small ones."""
    last = model.base_model.encoder.layer[-1].output.LayerNorm
    with torch.no_grad():
        last.weight *= SHRUNK
        last.bias *= SHRUNK
        last.weight[OUTLIER] *= STRETCHED
        last.bias[OUTLIER] += CENTRE


def main() -> None:
    """Writes the encoder's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=350)
    parser.add_argument("--outlier", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(packaged_folder())
    model = AutoModelForMaskedLM.from_pretrained(packaged_folder(), attn_implementation="eager")
    read = tokenizer(list(texts(options.data)), truncation=True, max_length=LENGTH)["input_ids"]
    train(model, tokenizer, read, options.steps)
    if options.outlier:
        add_outlier(model)
    model.base_model.save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)


if __name__ == "__main__":
    main()
