"""Classification heads on an encoder.

``cls``: the head of ``AutoModelForSequenceClassification``, on the sentence token; it starts at
random. ``mean``: a linear head on the normalised mean over word pieces; it starts from a linear
probe, since every encoder puts much of a text's meaning there. Token tasks have the head of
``AutoModelForTokenClassification``: ``Tagger`` where the encoder is known to ``bert``.

Every head works in two steps, since mixup acts between them: ``features`` of each unit, then
``logits`` of features.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch
from torch import nn

from harness.data import FloatArray, Kind
from harness_plugins.bert import FILE, PREFIX, Bert, attention, open_bert, open_encoder, save_model
from harness_plugins.encoders import quiet_transformers
from harness_plugins.packaged import read_config, standard_config
from harness_plugins.students.settings import Head

DROPOUT = 0.1
EPSILON = 1e-12
SPREAD = 0.02
"""Deviation of a new head's weights where an encoder's configuration has none."""
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
"""Its name in the configurations of BERT, and of DistilBERT and ModernBERT."""
HEAD_FILE = "head.safetensors"

Encoded: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Features ``[units, width]`` and embeddings ``[rows, width]`` (float32)."""


def mean_pooled(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the word pieces that are no padding: ``[batch, length, width]`` to
    ``[batch, width]``."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


class MeanPooled(nn.Module):
    """An encoder with a linear head on the normalised mean of its last hidden states.

    ``norm`` is a layer norm that is not trained. Sentence encoders are trained by cosines, so
    lengths carry no meaning; for them the norm's weights are 1 and 0. For other encoders they
    bring all dimensions to one scale (``scale_by``). A head on the norm equals one more standard
    layer (``encoder.exporting``).
    """

    def __init__(self, encoder: Any, labels: int) -> None:
        super().__init__()
        self.base_model = encoder
        self.norm = nn.LayerNorm(encoder.config.hidden_size, eps=EPSILON).requires_grad_(False)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(encoder.config.hidden_size, labels)
        spread = getattr(encoder.config, "initializer_range", SPREAD)
        nn.init.normal_(self.classifier.weight, std=spread)
        nn.init.zeros_(self.classifier.bias)

    @property
    def config(self) -> Any:
        """The encoder's configuration, with the labels."""
        return self.base_model.config

    def features(self, ids: torch.Tensor, mask: torch.Tensor, at: Any) -> Encoded:
        """The normalised mean of each row, as features and as embedding."""
        hidden = self.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = self.norm(mean_pooled(hidden.float(), mask))
        return self.dropout(pooled), pooled

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """``[units, width]`` to ``[units, labels]``."""
        return torch.as_tensor(self.classifier(features))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        """``logits``, float ``[rows, labels]``, as a model of ``transformers`` gives them."""
        features, _ = self.features(input_ids, attention_mask, None)
        return SimpleNamespace(logits=self.logits(features))

    def scale_by(self, centre: FloatArray | float, scale: FloatArray | float) -> None:
        """From now on, subtract ``centre`` from the normalised mean and divide it by ``scale``;
        both ``[width]``, or one number for all dimensions."""
        with torch.no_grad():
            self.norm.weight.copy_(torch.as_tensor(1 / scale))
            self.norm.bias.copy_(torch.as_tensor(-centre / scale))

    def set_head(self, weights: FloatArray, bias: FloatArray) -> None:
        """Begin with the given head: ``[labels, width]`` and ``[labels]``."""
        with torch.no_grad():
            self.classifier.weight.copy_(torch.from_numpy(weights))
            self.classifier.bias.copy_(torch.from_numpy(bias))

    def save_pretrained(self, folder: Path) -> None:
        """The encoder as ``transformers`` saves it, and the head in ``HEAD_FILE``."""
        from safetensors.torch import save_file

        self.base_model.save_pretrained(folder)
        state = self.classifier.state_dict() | self.norm.state_dict(prefix="norm.")
        save_file({key: one.contiguous() for key, one in state.items()}, folder / HEAD_FILE)


class Tagger(nn.Module):
    """An encoder with a linear head on each word piece's last hidden state."""

    def __init__(self, encoder: Bert, labels: int) -> None:
        super().__init__()
        self.base_model, config = encoder, encoder.config
        dropout = getattr(config, "classifier_dropout", None)
        self.dropout = nn.Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        with torch.random.fork_rng(devices=[]):  # the weights that it draws are not used
            self.classifier = nn.Linear(config.hidden_size, labels)
        nn.init.normal_(self.classifier.weight, std=config.initializer_range)
        nn.init.zeros_(self.classifier.bias)

    @property
    def config(self) -> Any:
        """The encoder's configuration, with the labels."""
        return self.base_model.config

    def features(self, ids: torch.Tensor, mask: torch.Tensor, at: Any) -> Encoded:
        """Features of the units at (row, place), and the mean over word pieces of each row."""
        hidden = self.base_model(ids, mask).last_hidden_state
        return _at(self.dropout(hidden), at), mean_pooled(hidden.float(), mask)

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """``[units, width]`` to ``[units, labels]``."""
        return torch.as_tensor(self.classifier(features))

    def save_pretrained(self, folder: Path) -> None:
        """As ``transformers`` saves it."""
        prefix = f"{PREFIX[self.config.model_type]}."
        save_model(self, folder, "ForTokenClassification", prefix)


def _at(hidden: torch.Tensor, at: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """``[batch, length, width]`` at pairs of row and place: ``[units, width]``."""
    row, place = at
    return hidden.flatten(0, 1).index_select(0, row * hidden.shape[1] + place)


class Standard(nn.Module):
    """A classification model of ``transformers``, split at its ``classifier`` module.

    The features are the input of that module: BERT's pooled sentence token, RoBERTa's
    last hidden state of it, in token tasks the last hidden state of a token.
    """

    def __init__(self, model: Any, kind: Kind) -> None:
        super().__init__()
        self.model, self.kind = model, kind
        self._inputs: list[torch.Tensor] = []
        model.classifier.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._inputs.append(inputs[0])

    @property
    def config(self) -> Any:
        """The model's configuration."""
        return self.model.config

    @property
    def base_model(self) -> Any:
        """The encoder."""
        return self.model.base_model

    def features(self, ids: torch.Tensor, mask: torch.Tensor, at: Any) -> Encoded:
        """Features of the units at (row, place), and the embedding of each row.

        The embedding is the last hidden state of the sentence token (FreeAL retrieves by
        it), in token tasks the mean over word pieces.
        """
        self._inputs.clear()  # a pass that ran out of memory must not keep its activations
        out = self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        inputs = self._inputs.pop()
        hidden = out.hidden_states[-1].float()
        if self.kind == "token":
            return _at(inputs, at), mean_pooled(hidden, mask)
        return (inputs[:, 0] if inputs.ndim == 3 else inputs), hidden[:, 0]

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """``[units, width]`` to ``[units, labels]``."""
        head = self.model.classifier
        whole_sequence = self.kind == "sequence" and not isinstance(head, nn.Linear)
        found = head(features.unsqueeze(1) if whole_sequence else features)
        self._inputs.clear()
        return torch.as_tensor(found[:, 0] if found.ndim == 3 else found)

    def save_pretrained(self, folder: Path) -> None:
        """As ``transformers`` saves it."""
        self.model.save_pretrained(folder)


Classifier: TypeAlias = MeanPooled | Tagger | Standard


def load_classifier(
    folder: Path,
    kind: Kind,
    head: Head,
    classes: tuple[str, ...],
    *,
    attention_dropout: bool,
    frozen_embeddings: bool,
) -> Classifier:
    """The encoder of a folder with the head that is saved there, or a new one.

    A new head replaces a saved one for another number of labels.

    Args:
        folder: a local one, as ``from_pretrained`` takes it.
        kind: of the task.
        head: of sequence tasks.
        classes: names in index order.
        attention_dropout: whether training drops attention weights.
        frozen_embeddings: word embeddings get no gradient.
    """
    config = read_config(folder, classes)
    for dropped in ATTENTION_DROPOUTS:
        if not attention_dropout and hasattr(config, dropped):
            setattr(config, dropped, 0.0)
    # The fused kernel's gradient is several times slower on a CPU (results/LOG.md).
    fused = torch.cuda.is_available()
    classifier: Classifier
    if kind == "sequence" and head == "mean":
        encoder = open_encoder(config, folder, fused=fused)
        classifier = MeanPooled(encoder, len(classes))
        _read_head(classifier, folder / HEAD_FILE)
    elif kind == "token" and (known := open_bert(config, folder, fused=fused)) is not None:
        classifier = Tagger(known, len(classes))
        _read_head(classifier, folder / FILE)
    else:
        classifier = Standard(_open_standard(config, folder, kind, fused=fused), kind)
    if frozen_embeddings:
        classifier.base_model.get_input_embeddings().weight.requires_grad_(False)
    return classifier


def _open_standard(config: Any, folder: Path, kind: Kind, *, fused: bool) -> Any:
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    quiet_transformers()
    sequence = kind == "sequence"
    auto = AutoModelForSequenceClassification if sequence else AutoModelForTokenClassification
    return auto.from_pretrained(
        folder,
        config=standard_config(config),
        dtype=torch.float32,  # else it would be trained in half precision
        ignore_mismatched_sizes=True,  # a new head for other labels
        **attention(fused=fused),
    )


def _read_head(classifier: MeanPooled | Tagger, file: Path) -> None:
    """Take the head that a file holds, if it is for as many labels."""
    from safetensors.torch import load_file

    saved = load_file(file) if file.exists() else {}
    found = {name: saved.get(name, saved.get(f"classifier.{name}")) for name in ("weight", "bias")}
    weight = found["weight"]
    if weight is None or weight.shape != classifier.classifier.weight.shape:
        return
    classifier.classifier.load_state_dict(found)
    if isinstance(classifier, MeanPooled) and "norm.weight" in saved:  # an older version has none
        norm = {name: saved[f"norm.{name}"] for name in ("weight", "bias")}
        classifier.norm.load_state_dict(norm)
