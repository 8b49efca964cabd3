"""Encoders as models that ``transformers`` loads without any code of ours.

A ``cls`` head and a token head are such models already. A ``mean`` head becomes one by one
more encoder layer with weights that put the head's input into the sentence token's place (ours):

* Queries and keys are 0, so every position attends equally to all that are no padding; values
  are the hidden states, so the attention's output is their mean.
* The layer adds its input, which must not count: the layer norm before is scaled down by
  ``DOWN``, the values up again, and the mean up by ``UP``, so that the input is 1/(DOWN · UP) of
  it. The layer norm then gives the normalised mean, whatever its scale. Powers of two lose no
  precision; the two steps stay within the range of float16.
* The feed-forward part is 0, and the second layer norm is that of the head.
* The head's own hidden layer is linear about 0: tanh(x · SMALL) / SMALL = x up to x³ SMALL² / 3.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch

from harness.errors import CommandError, PartError
from harness_plugins.encoders import BERT, ROBERTA
from harness_plugins.packaged import standard_config
from harness_plugins.students.encoder.heads import MeanPooled

DOWN = 2.0**12
UP = 2.0**6
SMALL = 2.0**-12
TOLERANCE = 1e-3
"""Most that an exported model's logits may differ, as a share of the largest."""


def export_model(model: Any, tokenizer: Any, folder: Path, max_length: int) -> None:
    """Write a model of ``heads.load_classifier`` and its tokenizer to an empty folder.

    The tokenizer cuts texts at ``max_length`` word pieces, as training did.

    Raises:
        CommandError: if there is no standard form for the model.
    """
    if isinstance(model, MeanPooled):
        model = standard_form(model)
    model.save_pretrained(folder)
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.model_max_length = max_length
    tokenizer.save_pretrained(folder)


def standard_form(model: MeanPooled) -> Any:
    """The same logits from ``AutoModelForSequenceClassification``, float32, for evaluation.

    Raises:
        CommandError: for an architecture whose layers or head are built otherwise.
        PartError: if the logits differ.
    """
    from transformers import AutoModelForSequenceClassification

    config = standard_config(model.config)
    if config.model_type not in (*BERT, *ROBERTA):
        known = ", ".join((*BERT, *ROBERTA))
        raise CommandError(
            f"a mean head on an encoder of type {config.model_type!r} cannot be exported: that "
            f"can be done for {known}; student.head=cls trains a student that can be"
        )
    config.num_hidden_layers += 1
    made = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        _copy_encoder(model.base_model, made.base_model)
        before, layer = made.base_model.encoder.layer[-2:]
        _average(before, layer, model.norm, config.layer_norm_eps)
        hidden, last = (
            (made.base_model.pooler.dense, made.classifier)
            if config.model_type in BERT
            else (made.classifier.dense, made.classifier.out_proj)
        )
        _identity(hidden, SMALL)
        last.weight.copy_(model.classifier.weight / SMALL)
        last.bias.copy_(model.classifier.bias)
    _check(model, made)
    return made


def _copy_encoder(trained: Any, made: Any) -> None:
    """All weights but those of the added layer, and of a pooler, which a mean head skips."""
    found = made.load_state_dict(trained.state_dict(), strict=False)
    added = f"encoder.layer.{made.config.num_hidden_layers - 1}."
    missing = [key for key in found.missing_keys if not key.startswith((added, "pooler."))]
    unknown = [key for key in found.unexpected_keys if not key.startswith("pooler.")]
    if missing or unknown:
        raise PartError(f"the encoder has other weights than its type: {(missing + unknown)[0]}")


def _average(before: Any, layer: Any, norm: Any, epsilon: float) -> None:
    """Make the last layer the normalised mean of the output of the layer before."""
    before.output.LayerNorm.weight /= DOWN
    before.output.LayerNorm.bias /= DOWN
    for parameter in layer.parameters():
        parameter.zero_()
    _identity(layer.attention.self.value, DOWN)
    _identity(layer.attention.output.dense, UP)
    layer.attention.output.LayerNorm.weight.fill_(1.0)
    # Its input has variance 1, to which a layer norm adds its epsilon.
    layer.output.LayerNorm.weight.copy_(norm.weight * math.sqrt(1 + epsilon))
    layer.output.LayerNorm.bias.copy_(norm.bias)


def _identity(linear: Any, scale: float) -> None:
    linear.weight.copy_(torch.eye(linear.weight.shape[0]) * scale)
    linear.bias.zero_()


def _check(model: MeanPooled, made: Any) -> None:
    """Compare the logits of some padded rows of random word pieces."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, model.config.vocab_size, (8, 40), generator=generator)
    lengths = torch.tensor([2, 3, 5, 8, 13, 21, 34, 40])
    mask = (torch.arange(40) < lengths[:, None]).long()
    ids[mask == 0] = int(model.config.pad_token_id or 0)
    training = model.training
    model.eval()
    with torch.inference_mode():
        device = model.classifier.weight.device
        expected = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        found = made(input_ids=ids, attention_mask=mask).logits
    model.train(training)
    wanted = expected.float().cpu()
    differs = float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-6))
    if not differs <= TOLERANCE:
        raise PartError(
            f"the exported model would give other logits than the student (by {differs:.1e} of the "
            "largest); student.head=cls trains a student that can be"
        )
