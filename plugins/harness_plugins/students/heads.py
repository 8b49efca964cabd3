"""Classification heads: what stands between an encoder and the labels.

``cls``: the head of ``AutoModelForSequenceClassification``, on the sentence token.
``mean``: a linear head on the mean over word pieces, brought to mean 0 and variance 1, for
encoders that were trained to put meaning there (sentence encoders such as
all-MiniLM-L6-v2). Token tasks have one head.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import torch
from torch import nn

from harness.data import FloatArray, Kind

__all__ = ["Head", "MeanPooled", "load_model", "mean_pooled", "normed"]

Head: TypeAlias = Literal["cls", "mean"]
DROPOUT = 0.1
EPS = 1e-12
HEAD_FILE = "head.safetensors"


def mean_pooled(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the word pieces that are no padding: ``[batch, length, width]`` to
    ``[batch, width]``."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def normed(pooled: torch.Tensor) -> torch.Tensor:
    """What a ``mean`` head reads: each row of ``[batch, width]`` with mean 0 and variance 1."""
    return nn.functional.layer_norm(pooled, pooled.shape[-1:], eps=EPS)


class MeanPooled(nn.Module):
    """An encoder with a linear head on the mean of its last hidden states."""

    def __init__(self, encoder: Any, labels: int) -> None:
        super().__init__()
        self.base_model = encoder
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(encoder.config.hidden_size, labels)
        nn.init.normal_(self.classifier.weight, std=encoder.config.initializer_range)
        nn.init.zeros_(self.classifier.bias)

    @property
    def config(self) -> Any:
        """The encoder's configuration, with the labels."""
        return self.base_model.config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.classifier.weight.device

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: object
    ) -> SimpleNamespace:
        """Logits ``[batch, labels]`` and the last hidden states."""
        hidden = self.base_model(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state
        pooled = mean_pooled(hidden.float(), attention_mask)
        logits = self.classifier(self.dropout(normed(pooled)))
        return SimpleNamespace(logits=logits, hidden_states=(hidden,))

    def set_head(self, weights: FloatArray, bias: FloatArray) -> None:
        """Begin with the given head: ``[labels, width]`` and ``[labels]``."""
        with torch.no_grad():
            self.classifier.weight.copy_(torch.from_numpy(weights))
            self.classifier.bias.copy_(torch.from_numpy(bias))

    def save_pretrained(self, folder: Path) -> None:
        """The encoder as ``transformers`` saves it, and the head beside it."""
        from safetensors.torch import save_file

        self.base_model.save_pretrained(folder)
        state = {key: value.contiguous() for key, value in self.classifier.state_dict().items()}
        save_file(state, folder / HEAD_FILE)


def load_model(folder: Path, kind: Kind, head: Head, classes: tuple[str, ...]) -> Any:
    """The encoder of a folder with the head that is saved there, or else a new one."""
    from transformers import (
        AutoModel,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )

    settings: dict[str, Any] = {
        "dtype": torch.float32,
        "num_labels": len(classes),
        "id2label": dict(enumerate(classes)),
        "label2id": {name: index for index, name in enumerate(classes)},
    }
    if kind == "token":
        return AutoModelForTokenClassification.from_pretrained(folder, **settings)
    if head == "cls":
        return AutoModelForSequenceClassification.from_pretrained(folder, **settings)
    model = MeanPooled(AutoModel.from_pretrained(folder, **settings), len(classes))
    if (folder / HEAD_FILE).exists():
        from safetensors.torch import load_file

        model.classifier.load_state_dict(load_file(folder / HEAD_FILE))
    return model
