"""Inference on a pool: no gradients, large batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from harness.data import IntArray
from harness.protocols import Progress, no_progress
from harness_plugins.encoders import FILLED, length_batches, out_of_memory, quick_attention
from harness_plugins.lengths import fixed_length
from harness_plugins.students.encoder.device import autocast
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.encoder.pieces import Pieces
from harness_plugins.students.encoder.resident import ResidentPieces

BATCH = 32
"""Rows of a batch on a CPU; fewer where memory does not suffice."""


def infer(
    model: Classifier,
    pieces: Pieces,
    pad: int,
    max_length: int,
    progress: Progress = no_progress,
    rows: IntArray | None = None,
    *,
    fixed: bool | None = None,
    dropout: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits float32 ``[units, classes]`` and embeddings float32 ``[rows, width]``.

    In evaluation mode, but with ``dropout`` as in training, on the model's device, which is not
    waited for.

    Args:
        model: whose predictions are wanted.
        pieces: of the pool.
        pad: id of the padding piece.
        max_length: word pieces of a row at most, from which fixed lengths follow.
        progress: is called after each batch.
        rows: those to look at; the values of all others are undefined.
        fixed: batches have ``FILLED`` word pieces and one of at most eight lengths; None: where
            the model is on a GPU.
    """
    model.train(dropout)
    device = next(model.parameters()).device
    fixed = device.type == "cuda" if fixed is None else fixed
    asked = np.arange(len(pieces)) if rows is None else rows
    size = FILLED if fixed else BATCH
    while True:
        batches = Batches(pieces.lengths, asked, size, max_length if fixed else None)
        try:
            with torch.inference_mode(), quick_attention(device):
                found = _infer(model, pieces, pad, batches, progress)
            model.eval()
            return found
        except RuntimeError as error:
            if not out_of_memory(error) or size == 1:
                raise
            size //= 2


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Which rows are looked at together, the longest first.

    Attributes:
        lengths: int64, word pieces of all rows.
        asked: int64, the rows to look at.
        size: word pieces of a batch where lengths are fixed, else rows of a batch.
        max_length: of fixed lengths; None: a batch is as long as its longest row.
    """

    lengths: IntArray
    asked: IntArray
    size: int
    max_length: int | None

    def __iter__(self) -> Iterator[tuple[IntArray, int]]:
        """Rows of a batch, -1 where it is filled up, and its length."""
        lengths = self.lengths[self.asked]
        if self.max_length is None:
            for batch in length_batches(lengths, self.size):
                yield self.asked[batch], int(lengths[batch[0]])
            return
        order, start = np.argsort(-lengths, kind="stable"), 0
        while start < len(order):
            length = fixed_length(int(lengths[order[start]]), self.max_length)
            size = max(1, self.size // length)
            rows = self.asked[order[start : start + size]]
            filled = min(size, 1 << (len(rows) - 1).bit_length())  # few numbers of rows, too
            yield np.pad(rows, (0, filled - len(rows)), constant_values=-1), length
            start += size


def _infer(
    model: Classifier, pieces: Pieces, pad: int, batches: Batches, progress: Progress
) -> tuple[torch.Tensor, torch.Tensor]:
    device = next(model.parameters()).device
    resident, fixed = ResidentPieces(pieces, pad, device), batches.max_length is not None
    counts = np.diff(pieces.unit_starts)
    # One more of each takes what the rows that fill a batch up give.
    logits = torch.empty((len(pieces.units) + 1, model.config.num_labels), device=device)
    embeddings = torch.empty((len(pieces) + 1, model.config.hidden_size), device=device)
    done = 0
    for chosen, rows, length in _uploaded(batches, device):
        slots = length if fixed and len(pieces.units) > len(pieces) else int(counts[chosen].max())
        ids, mask = resident.inputs(rows, length)
        units, there = (one.ravel() for one in resident.units(rows, slots))
        row = torch.arange(len(chosen), device=device).repeat_interleave(slots)
        place = resident.places(rows, slots).ravel()
        units = torch.where(there, units, len(pieces.units))
        if not fixed:
            units, row, place = units[there], row[there], place[there]
        with autocast(device):
            features, pooled = model.features(ids, mask, (row, place))
            found = model.logits(features)
        logits[units] = found.float()
        embeddings[torch.where(rows < 0, len(pieces), rows)] = pooled.float()
        done += int(np.count_nonzero(chosen >= 0))
        progress(done, len(batches.asked))
    return logits[:-1], embeddings[:-1]


def _uploaded(
    batches: Batches, device: torch.device
) -> Iterator[tuple[IntArray, torch.Tensor, int]]:
    """Rows of each batch, also on the device, and its length; one upload, since it waits."""
    every = list(batches)
    together = np.concatenate([np.zeros(0, dtype=np.int64), *(rows for rows, _ in every)])
    sizes = [len(rows) for rows, _ in every]
    on_device = torch.from_numpy(together).to(device).split(sizes)  # type: ignore[no-untyped-call]
    for (rows, length), same in zip(every, on_device, strict=True):
        yield rows, same, length
