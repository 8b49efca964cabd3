"""Registers the built-in students; what one needs is imported when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register

HERE = "harness_plugins.students"
ENCODERS = {
    "minilm": ("PACKAGED_ENCODER", "the packaged all-MiniLM-L6-v2, no hub needed"),
    "roberta": ("HUB_ENCODER", "roberta-base (hub); FreeAL's for sentences"),
    "biomed-roberta": ("HUB_ENCODER", "biomed_roberta_base (hub); FreeAL's for medical texts"),
    "bert": ("HUB_ENCODER", "bert-base-cased (hub); for tokens"),
    "transformers": ("NAMED_ENCODER", "any encoder: transformers:MODEL (hub), or its folder"),
}
"""Names with the factory of ``students.factory``, and the encoder in words."""


@hookimpl
def harness_register_students(register: Register) -> None:
    """Encoders, one implementation for all, and a model without any."""
    for name, (factory, encoder) in ENCODERS.items():
        register(
            name,
            f"{HERE}.factory:{factory}",
            summary=f"fine-tunes {encoder}",
            config=f"{HERE}.settings:EncoderKeys",
            default=name == "minilm",
        )
    register(
        "tfidf",
        f"{HERE}.tfidf:TfidfStudent.from_request",
        summary="logistic regression on word and character n-grams, seconds to train",
        kinds=["sequence"],
    )


@hookimpl
def harness_register_models(register: Register) -> None:
    """The folders that an encoder exports; transformers is imported when one is opened."""
    register("transformers", f"{HERE}.encoder.exported:open_exported", reads="config.json")
