"""Registers the built-in students; torch is imported when one is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import hookimpl
from harness_plugins.encoders import PACKAGED
from harness_plugins.students import presets, sources
from harness_plugins.students.checking import check_encoder, check_length, check_used
from harness_plugins.students.encoder.exported import open_exported
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.settings import EncoderKeys
from harness_plugins.students.sources import Source
from harness_plugins.students.tfidf import TfidfStudent

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Student, StudentRequest


@dataclass(frozen=True, slots=True)
class EncoderFactory:
    """Makes a student of an encoder; ``source`` finds the encoder."""

    source: Callable[[StudentRequest], Source]

    def __call__(self, request: StudentRequest) -> Student:
        """The student.

        Raises:
            CommandError: if a key has no effect, or the encoder cannot be trained.
        """
        source, kind = self.source(request), request.task.kind
        settings = presets.settings_of(request.config, kind, source, augmented=request.augmented)
        check_length(source, settings.max_length)
        if source.identity != PACKAGED:
            check_encoder(source, kind, settings)
        check_used(settings, kind, augmented=request.augmented)
        return EncoderStudent(source, kind, request.task.classes, settings)

    def defaults(self) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
        """The values of the keys by preset."""
        ours = self.source is sources.packaged_source
        return presets.by_preset(sources.packaged() if ours else Source(Path(), "any other"))


ENCODERS = {
    "minilm": (sources.packaged_source, "the packaged all-MiniLM-L6-v2, no hub needed"),
    "roberta": (sources.hub_source, "roberta-base (hub); FreeAL's for sentences"),
    "biomed-roberta": (sources.hub_source, "biomed_roberta_base (hub); FreeAL's for medical texts"),
    "bert": (sources.hub_source, "bert-base-cased (hub); for tokens"),
    "transformers": (
        sources.named_source,
        "any encoder: transformers:MODEL (hub), or its folder",
    ),
}


@hookimpl
def harness_register_students(register: Register) -> None:
    """Encoders, one implementation for all, and a model without any."""
    for name, (source, encoder) in ENCODERS.items():
        register(
            name,
            EncoderFactory(source),
            summary=f"fine-tunes {encoder}",
            config=EncoderKeys,
            default=name == "minilm",
        )
    register(
        "tfidf",
        TfidfStudent.from_request,
        summary="logistic regression on word and character n-grams, seconds to train",
        kinds=["sequence"],
    )


@hookimpl
def harness_register_models(register: Register) -> None:
    """The folders that an encoder exports; transformers is imported when one is opened."""
    register("transformers", open_exported, reads="config.json")
