"""An exported encoder, read back from its folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.data import Kind, class_names
from harness.errors import CommandError
from harness_plugins.encoders import device
from harness_plugins.packaged import read_config
from harness_plugins.students.settings import Settings
from harness_plugins.students.sources import Source

if TYPE_CHECKING:
    from harness_plugins.students.encoder.fitted import FittedEncoder

KINDS: dict[str, Kind] = {
    "ForSequenceClassification": "sequence",
    "ForTokenClassification": "token",
}


def open_exported(folder: Path) -> FittedEncoder:
    """The model of a folder that ``exporting.export_model`` wrote; nothing else is needed.

    Raises:
        CommandError: if it is another kind of model, or lacks its weights.
    """
    from harness_plugins.students.encoder.fitted import FittedEncoder
    from harness_plugins.students.encoder.heads import load_classifier

    if not any(folder.glob("model*.safetensors")):
        raise CommandError(f"{folder}: holds no model.safetensors; export the model once more")
    config = read_config(folder)
    (built, *_) = config.architectures or [""]
    kind = next((kind for ending, kind in KINDS.items() if built.endswith(ending)), None)
    if kind is None:
        raise CommandError(
            f"{folder}: holds no classifier but {built or 'an unnamed model'}; harness export "
            "writes one of a run"
        )
    classes = tuple(config.id2label[index] for index in range(config.num_labels))
    types = [name.removeprefix("B-") for name in classes[1::2]]
    if kind == "token" and classes != class_names(kind, types):
        raise CommandError(f"{folder}: its tags are not O, B-X, I-X, ... in this order")
    tokenizer = Source(folder, str(folder)).tokenizer(folder, kind)
    most = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    length = min(int(tokenizer.model_max_length), int(most))
    model = load_classifier(
        folder, kind, "cls", classes, attention_dropout=True, frozen_embeddings=False
    )
    return FittedEncoder(model.to(device()), tokenizer, kind, Settings(max_length=length))
