"""A fine-tuned encoder: its view of a pool, and its files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from harness.data import BoolArray, Kind, Pool, StudentView
from harness.protocols import Progress
from harness_plugins.students.encoder.decoding import decode_iob2
from harness_plugins.students.encoder.pieces import cut_texts, make_pieces, said_of_cut
from harness_plugins.students.settings import Head, Settings

ABOUT = "harness.json"
"""The file of a saved student that says how it was trained."""


def saved_head(folder: Path) -> Head | None:
    """The head of a saved student, whatever presets say today; None: no student is saved there."""
    file = folder / ABOUT
    head = json.loads(file.read_text(encoding="utf-8")).get("head") if file.exists() else None
    return head if head in get_args(Head) else None


class FittedEncoder:
    """A fine-tuned encoder.

    ``earlier`` is the same after an earlier epoch, if that was kept; ``clean`` the ids of
    the pool that it was trained on, and the labels that its last epoch counted as clean.
    """

    def __init__(self, model: Any, tokenizer: Any, kind: Kind, settings: Settings) -> None:
        self.model, self.tokenizer, self.kind = model, tokenizer, kind
        self._settings = settings
        self.earlier: FittedEncoder | None = None
        self.clean: tuple[Sequence[str], BoolArray] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in index order."""
        names = self.model.config.id2label
        return tuple(names[index] for index in range(len(names)))

    @property
    def pad(self) -> int:
        """Id of the padding piece."""
        return int(self.tokenizer.pad_token_id)

    def cut(self, pool: Pool) -> dict[int, str]:
        """Rows of which it reads the beginning only (``abilities.cut``)."""
        length = self._settings.max_length
        return said_of_cut(cut_texts(pool, self.tokenizer, length), length)

    def clean_labels(self, pool: Pool) -> BoolArray | None:
        """The labels of a pool that training took for right (``abilities.clean_labels``)."""
        if self.clean is None or tuple(self.clean[0]) != tuple(pool.ids):
            return None
        return self.clean[1]

    def view(self, pool: Pool, progress: Progress) -> StudentView:
        """Probabilities, predictions and embeddings of a pool."""
        return self._view(pool, progress)

    def view_with_dropout(self, pool: Pool, seed: int, progress: Progress) -> StudentView:
        """The same with units dropped at random (``abilities.view_with_dropout``)."""
        import torch

        with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
            torch.manual_seed(seed)
            return self._view(pool, progress, dropout=True)

    def _view(self, pool: Pool, progress: Progress, *, dropout: bool = False) -> StudentView:
        import torch

        from harness_plugins.students.encoder.inference import infer

        (pieces,) = make_pieces(pool, self.tokenizer, self._settings.max_length)
        longest = self._settings.max_length
        logits, pooled = infer(self.model, pieces, self.pad, longest, progress, dropout=dropout)
        log_probabilities = torch.log_softmax(logits, dim=-1).cpu().numpy()
        predictions = (
            logits.argmax(dim=-1).cpu().numpy()
            if self.kind == "sequence"
            else decode_iob2(log_probabilities, pool.offsets)
        )
        # Windows of a sentence are summed: selectors compare by cosines, which ignore lengths.
        embeddings = np.zeros((len(pool), pooled.shape[1]), dtype=np.float32)
        np.add.at(embeddings, pieces.example, pooled.cpu().numpy())
        predictions = predictions.astype(np.int32)
        for own in (log_probabilities, predictions, embeddings):
            own.setflags(write=False)  # handed over, not copied
        return StudentView(log_probabilities, predictions, embeddings, pool.offsets)

    def save(self, folder: Path) -> None:
        """Write the model, its tokenizer and ``ABOUT``."""
        from harness_plugins.students.encoder.heads import MeanPooled

        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        head: Head = "mean" if isinstance(self.model, MeanPooled) else "cls"
        about = {"kind": self.kind, **self._settings.describe(), "head": head}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")

    def export(self, folder: Path) -> None:
        """Write the model in a form that ``transformers`` has (``abilities.exporter``)."""
        from harness_plugins.students.encoder.exporting import export_model

        export_model(self.model, self.tokenizer, folder, self._settings.max_length)
