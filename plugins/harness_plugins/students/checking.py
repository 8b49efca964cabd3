"""Whether an encoder can be trained, checked before an annotator is paid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.data import Kind
from harness.errors import CommandError, InapplicableError
from harness_plugins.encoders import cores, quiet_transformers
from harness_plugins.students.settings import Settings
from harness_plugins.students.sources import Source

ABSOLUTE = ("bert", "electra", "albert", "distilbert")
"""Model types with one position vector for each word piece, counted from 0."""
ABSOLUTE_AFTER_PAD = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer")
"""The same, counted from the padding's id + 1."""


def check_length(source: Source, length: int) -> None:
    """Refuse more word pieces than an encoder has positions for.

    Raises:
        CommandError: saying how many it reads, or that the encoder's configuration is damaged.
    """
    file = source.folder / "config.json"
    try:
        config = dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{file}: damaged ({error}); fetch the encoder again") from None
    most, kind = config.get("max_position_embeddings"), config.get("model_type")
    if most is None or kind not in (*ABSOLUTE, *ABSOLUTE_AFTER_PAD):
        return
    if kind in ABSOLUTE_AFTER_PAD:
        pad = config.get("pad_token_id")
        most -= 1 + (1 if pad is None else pad)
    if length > most:
        name = source.identity.partition("@")[0]
        raise CommandError(
            f"student.max_length is {length}, but {name} reads at most {most} word pieces; "
            f"set it to {most} or less"
        )


def check_used(settings: Settings, kind: Kind, *, augmented: bool = False) -> None:
    """Refuse keys that would change nothing; ``augmented``: the run has an augmenter.

    Raises:
        CommandError: naming the key and what it needs.
    """
    if augmented and not settings.pairs:
        raise InapplicableError(
            "student.augmenter",
            "student.augmenter has no effect: neither student.augmented nor student.consistency "
            "is above 0; set one of them, or leave the key out",
        )
    token = kind == "token"
    useless = {
        "student.unlabelled has no effect: without student.consistency training uses no example "
        "without an answer; set that above 0, or leave the key out": settings.unlabelled
        and not settings.consistency,
        "student.clean=auto: how many labels are wrong is estimated for sequence tasks only; "
        "set mixture or all": settings.clean == "auto" and token,
        "student.agreement has no effect: occurrences of words are compared in token tasks "
        "only; leave the key out": settings.agreement and not token,
        "student.transition has no effect: confusions are estimated for sequence tasks only; "
        "leave the key out": settings.transition and token,
        f"student.clean has no effect: training has {settings.epochs} epochs, and in the first "
        f"{settings.warmup_epochs} all labels count as clean; lower student.warmup_epochs": (
            settings.clean != "all" and 1 < (settings.epochs or 0) <= settings.warmup_epochs
        ),
    }
    for message, applies in useless.items():
        if applies:
            raise CommandError(message)
    _check_processes(settings)
    if settings.feedback_epoch > settings.least_epochs:
        few = "" if settings.epochs else "may have no more than "
        raise CommandError(
            f"student.feedback_epoch is {settings.feedback_epoch}, but training "
            f"{few or 'has '}{settings.least_epochs} epochs; lower it, or set student.epochs"
        )


def _check_processes(settings: Settings) -> None:
    if settings.processes == 1:
        return
    import torch

    gpus = torch.cuda.device_count()
    most = gpus or cores()
    if settings.processes > most:
        what = "GPUs" if gpus else "processor cores"
        raise CommandError(
            f"student.processes is {settings.processes}; {what} on this machine: {most}; lower it"
        )
    if settings.processes > settings.batch_size:
        raise CommandError(
            f"student.processes is {settings.processes}, more than a batch has rows "
            f"(student.batch_size is {settings.batch_size}); lower it"
        )


def check_encoder(source: Source, kind: Kind, settings: Settings) -> None:
    """Refuse a folder that lacks something, or whose model has no separable head.

    The weights' content is not read; training reports what is wrong with it.

    Raises:
        CommandError: saying what is missing.
    """
    folder = source.folder
    quiet_transformers()
    try:
        _check_weights(folder)
        _check_tokenizer(source.tokenizer(folder, kind), folder, kind)
        _check_head(folder, kind, settings)
    except CommandError:
        raise
    except Exception as error:  # of many kinds: of files, of JSON, of tokenizers in Rust
        lines = str(error).strip().splitlines() or [repr(error)]
        raise CommandError(f"{folder}: no encoder that transformers can load: {lines[0]}") from None


def _check_weights(folder: Path) -> None:
    from safetensors import SafetensorError, safe_open

    weights = [*folder.glob("*.safetensors")]
    if not weights and not any(folder.glob("pytorch_model*.bin")):
        raise CommandError(f"{folder}: no weights there (model.safetensors); fetch it again")
    for file in weights:
        try:
            with safe_open(file, framework="pt"):
                pass
        except SafetensorError:
            raise CommandError(f"{file}: torn or no safetensors; fetch it again") from None


def _check_tokenizer(tokenizer: Any, folder: Path, kind: Kind) -> None:
    """``transformers`` silently makes an empty tokenizer where there is none."""
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise CommandError(f"{folder}: no tokenizer there (tokenizer.json); copy it there")
    needed = {"padding": tokenizer.pad_token_id}
    if kind == "token":
        needed |= {"[CLS] or <s>": tokenizer.cls_token_id, "[SEP] or </s>": tokenizer.sep_token_id}
    for name, found in needed.items():
        if found is None:
            raise CommandError(
                f"{folder}: its tokenizer has no piece for {name}; choose an encoder (BERT's kin)"
            )


def _check_head(folder: Path, kind: Kind, settings: Settings) -> None:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if kind == "sequence" and config.is_encoder_decoder:
        raise CommandError(f"{folder}: an encoder with a decoder; choose one without (BERT's kin)")
    if kind == "sequence" and settings.head == "mean":
        return
    if not _has_head(config, kind):
        raise CommandError(
            f"{folder}: a model of type {config.model_type!r} has no head to train here; "
            "student.head=mean needs none, or choose an encoder (BERT's kin)"
        )


def _has_head(config: Any, kind: Kind) -> bool:
    import torch

    from harness_plugins.bert import knows

    if kind == "token" and knows(config):
        return True
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    token = kind == "token"
    auto = AutoModelForTokenClassification if token else AutoModelForSequenceClassification
    with torch.device("meta"):  # no memory, no numbers
        model = auto.from_config(config)
    return isinstance(getattr(model, "classifier", None), torch.nn.Module)
