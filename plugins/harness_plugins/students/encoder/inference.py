"""Inference on a pool: no gradients, large batches."""

from __future__ import annotations

import numpy as np
import torch

from harness.data import IntArray
from harness.protocols import Progress, no_progress
from harness_plugins.encoders import length_batches
from harness_plugins.students.encoder.device import autocast, mover, out_of_memory
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.encoder.pieces import Pieces, collate

BATCH = 128
"""Rows of a batch; fewer where memory does not suffice."""


def infer(
    model: Classifier,
    pieces: Pieces,
    pad: int,
    progress: Progress = no_progress,
    rows: IntArray | None = None,
    *,
    dropout: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits float32 ``[units, classes]`` and embeddings float32 ``[rows, width]``.

    In evaluation mode, but with ``dropout`` as in training, on the model's device. With ``rows``
    the values of all other rows are undefined.
    """
    model.train(dropout)
    size = BATCH
    while True:
        try:
            with torch.inference_mode():
                found = _infer(model, pieces, pad, size, progress, rows)
            model.eval()
            return found
        except RuntimeError as error:
            if not out_of_memory(error) or size == 1:
                raise
            size //= 2


def _infer(
    model: Classifier,
    pieces: Pieces,
    pad: int,
    size: int,
    progress: Progress,
    asked: IntArray | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    device = next(model.parameters()).device
    move = mover(device)
    logits = torch.empty((len(pieces.units), model.config.num_labels), device=device)
    embeddings = torch.empty((len(pieces), model.config.hidden_size), device=device)
    asked = np.arange(len(pieces)) if asked is None else asked
    done = 0
    for batch in length_batches(pieces.lengths[asked], size):
        rows = asked[batch]
        ids, mask = collate([(pieces, rows)], pad)
        row, place = pieces.at(rows)
        at = (move(torch.from_numpy(row)), move(torch.from_numpy(place)))
        with autocast(device):
            features, pooled = model.features(move(ids), move(mask), at)
            found = model.logits(features)
        logits[move(torch.from_numpy(pieces.units_of(rows)))] = found.float()
        embeddings[move(torch.from_numpy(rows))] = pooled.float()
        done += len(rows)
        progress(done, len(asked))
    return logits, embeddings
