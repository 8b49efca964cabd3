"""Students that fine-tune an encoder: a sequence head or a token head, by the task's kind.

Cross-entropy on the answered examples, weighted by the confidence of their labels. The
embedding of an example is what its head
reads: the last hidden state of the sentence token (FreeAL retrieves by it), or the mean
over its word pieces (head ``mean``, and token tasks).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import Annotations, FloatArray, IntArray, Kind, Pool, StudentView
from harness.protocols import Progress, StudentRequest, no_progress
from harness_plugins.encoders import (
    bf16_pays,
    device,
    length_batches,
    packaged_folder,
    quiet_transformers,
)
from harness_plugins.students.decoding import decode_iob2
from harness_plugins.students.pieces import Pieces, collate, epoch_batches, make_pieces
from harness_plugins.students.settings import EncoderSettings
from harness_plugins.students.weights import confidence_weights

__all__ = ["EncoderStudent", "FittedEncoder", "minilm_from_request"]

EVALUATION_BATCH = 128


def minilm_from_request(request: StudentRequest) -> EncoderStudent:
    """The packaged encoder as student."""
    request.spec.no_argument()
    request.spec.check_options()
    return EncoderStudent(
        packaged_folder(),
        request.task.kind,
        request.task.classes,
        # A sentence encoder: its meaning is in the mean, not in the sentence token.
        EncoderSettings.of(request.config, request.task.kind, head="mean"),
    )


class EncoderStudent:
    """Fine-tunes the encoder in a folder, from its pretrained weights each time."""

    def __init__(
        self, folder: Path, kind: Kind, classes: tuple[str, ...], settings: EncoderSettings
    ) -> None:
        self._folder, self._kind, self._classes = folder, kind, classes
        self._settings = settings

    def describe(self) -> dict[str, object]:
        """The settings with which it works."""
        return {
            "encoder": self._folder.name if self._folder != packaged_folder() else "packaged",
            "device": str(device()),
            "autocast": "bfloat16" if bf16_pays() else "float32",
            **self._settings.describe(),
        }

    def fit(
        self, pool: Pool, annotations: Annotations, seed: int, progress: Progress
    ) -> FittedEncoder:
        """Train on the answered examples."""
        import torch

        with torch.random.fork_rng(devices=_cuda_devices()):
            torch.manual_seed(seed)
            fitted = self.load(self._folder)
            rows = np.flatnonzero(annotations.answered)
            answered, said = pool.take(rows), annotations.take(rows)
            weights = np.ones(len(rows), dtype=np.float32)
            if self._settings.weighted:
                weights = confidence_weights(said.confidence)
            fitted.begin(answered, said.labels, weights, seed)
            fitted.train(answered, said.labels, weights, seed, progress)
        return fitted

    def load(self, folder: Path) -> FittedEncoder:
        """The encoder of a folder with the head that it has, or else a new one."""
        from transformers import AutoTokenizer

        from harness_plugins.students.heads import load_model

        quiet_transformers()
        model = load_model(folder, self._kind, self._settings.head, self._classes)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return FittedEncoder(model.to(device()), tokenizer, self._kind, self._settings)


class FittedEncoder:
    """A fine-tuned encoder."""

    def __init__(self, model: Any, tokenizer: Any, kind: Kind, settings: EncoderSettings) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._kind, self._settings = kind, settings

    def begin(self, pool: Pool, labels: IntArray, weights: FloatArray, seed: int) -> None:
        """Give a new ``mean`` head its first weights; other heads begin at random."""
        if self._kind == "token" or self._settings.head != "mean":
            return
        import torch

        from harness_plugins.students.heads import normed
        from harness_plugins.students.probing import linear_probe

        embeddings = normed(torch.tensor(self.view(pool, no_progress).embeddings)).numpy()
        classes = int(self._model.config.num_labels)
        head = linear_probe(
            embeddings,
            labels,
            weights,
            classes=classes,
            inverse_penalty=self._settings.probe,
            seed=seed,
        )
        self._model.set_head(*head)

    def train(
        self,
        pool: Pool,
        labels: IntArray,
        weights: FloatArray,
        seed: int,
        progress: Progress,
    ) -> None:
        """Fine-tune on a pool whose every example has labels, int32 ``[units]``.

        The loss of a batch is the mean over its units of cross-entropy times the weight
        (float ``[n]``, mean 1) of the unit's example.
        """
        import torch

        settings = self._settings
        pieces = make_pieces(pool, self._tokenizer, settings.max_length)
        epochs = settings.epochs_for(len(pool))
        steps = epochs * -(-len(pieces) // settings.batch_size)
        optimizer = self._optimizer(settings)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _linear(steps))
        rng = np.random.default_rng(seed)
        lengths = pieces.lengths
        targets = torch.from_numpy(labels.astype(np.int64))
        unit_weights = torch.from_numpy(np.repeat(weights, np.diff(pool.offsets)))
        self._model.train()
        done = 0
        for _ in range(epochs):
            for rows in epoch_batches(lengths, settings.batch_size, rng):
                losses = torch.nn.functional.cross_entropy(
                    self._unit_logits(pieces, rows)[0],
                    _of_units(pieces, rows, targets).to(self._model.device),
                    reduction="none",
                )
                loss = (losses * _of_units(pieces, rows, unit_weights).to(losses.device)).mean()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                done += len(rows)
                progress(done, epochs * len(pieces))
        self._model.eval()

    def view(self, pool: Pool, progress: Progress) -> StudentView:
        """Probabilities, predictions and embeddings of a pool."""
        import torch

        pieces = make_pieces(pool, self._tokenizer, self._settings.max_length)
        units = int(pool.offsets[-1])
        logits = np.empty((units, self._model.config.num_labels), dtype=np.float32)
        embeddings = np.zeros((len(pool), self._model.config.hidden_size), dtype=np.float32)
        done = 0
        self._model.eval()
        with torch.inference_mode():
            for rows in length_batches(pieces.lengths, EVALUATION_BATCH):
                found, pooled = self._unit_logits(pieces, rows)
                logits[np.concatenate([pieces.units[row] for row in rows])] = found.cpu().numpy()
                self._add_embeddings(embeddings, pieces, rows, pooled.cpu().numpy())
                done += len(rows)
                progress(done, len(pieces))
        log_probabilities = _log_softmax(logits)
        predictions = (
            logits.argmax(axis=1)
            if self._kind == "sequence"
            else decode_iob2(log_probabilities, pool.offsets)
        )
        return StudentView(
            log_probabilities, predictions.astype(np.int32), embeddings, pool.offsets
        )

    def save(self, folder: Path) -> None:
        """Write the model, its tokenizer and ``harness.json``."""
        self._model.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)
        about = {"kind": self._kind, **self._settings.describe()}
        (folder / "harness.json").write_text(json.dumps(about), encoding="utf-8")

    def export(self, folder: Path) -> None:
        """Write the model in a form that ``transformers`` has (``protocols.Exports``)."""
        from harness_plugins.students.exporting import export_model

        export_model(self._model, self._tokenizer, folder, self._settings.max_length)

    def _optimizer(self, settings: EncoderSettings) -> Any:
        """AdamW; biases and layer norms do not decay."""
        import torch

        parameters = list(self._model.parameters())
        groups = [
            {
                "params": [one for one in parameters if (one.ndim > 1) == decayed],
                "weight_decay": settings.weight_decay if decayed else 0.0,
            }
            for decayed in (False, True)
        ]
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)

    def _unit_logits(self, pieces: Pieces, rows: np.ndarray[Any, Any]) -> tuple[Any, Any]:
        """Logits float32 ``[units of the rows, classes]`` and embeddings ``[rows, width]``."""
        import torch

        from harness_plugins.students.heads import mean_pooled

        ids, mask = collate(pieces, rows, self._tokenizer.pad_token_id)
        ids, mask = ids.to(self._model.device), mask.to(self._model.device)
        with _autocast(self._model.device.type):
            out = self._model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        hidden = out.hidden_states[-1].float()
        logits = out.logits.float()
        if self._kind == "sequence" and self._settings.head == "cls":
            return logits, hidden[:, 0]
        pooled = mean_pooled(hidden, mask)
        if self._kind == "sequence":
            return logits, pooled
        batch = np.repeat(np.arange(len(rows)), [len(pieces.places[row]) for row in rows])
        place = np.concatenate([pieces.places[row] for row in rows])
        at = (torch.from_numpy(batch), torch.from_numpy(place))
        return logits[at], pooled

    def _add_embeddings(
        self,
        embeddings: np.ndarray[Any, Any],
        pieces: Pieces,
        rows: np.ndarray[Any, Any],
        pooled: np.ndarray[Any, Any],
    ) -> None:
        """Sum the windows of a sentence; a length does not matter where cosines are taken."""
        np.add.at(embeddings, pieces.example[rows], pooled)


def _of_units(pieces: Pieces, rows: IntArray, values: Any) -> Any:
    """The values of the units of some pieces, in the order of their logits."""
    return values[np.concatenate([pieces.units[row] for row in rows])]


def _linear(steps: int) -> Any:
    """Warm-up over the first tenth of the steps, then down to zero."""
    warmup = max(1, steps // 10)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return max(0.0, (steps - step) / max(1, steps - warmup))

    return factor


def _log_softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


@contextmanager
def _autocast(device_type: str) -> Iterator[None]:
    import torch

    with torch.autocast(device_type, dtype=torch.bfloat16, enabled=bf16_pays()):
        yield


def _cuda_devices() -> list[int]:
    import torch

    return list(range(torch.cuda.device_count()))
