"""Registers the built-in students; their modules are imported when one is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Student, StudentRequest
    from harness_plugins.students.sources import Source


@hookimpl
def harness_register_students(register: Register) -> None:
    """Encoders, one implementation for all, and a model without any."""
    from harness_plugins.students.settings import EncoderKeys

    for name, source, summary in ENCODERS:
        factory, default = EncoderFactory(source), name == "minilm"
        register(name, factory, summary=summary, config=EncoderKeys, default=default)
    register(
        "tfidf",
        _tfidf,
        summary="logistic regression on word and character n-grams, seconds to train",
        kinds=["sequence"],
    )


@dataclass(frozen=True, slots=True)
class EncoderFactory:
    """What makes a student of an encoder; ``source`` finds the encoder."""

    source: Callable[[StudentRequest], Source]

    def __call__(self, request: StudentRequest) -> Student:
        """The student.

        Raises:
            CommandError: if a key has no effect, or the encoder cannot be trained.
        """
        from harness_plugins.encoders import PACKAGED
        from harness_plugins.students.checking import check_encoder, check_length, check_used
        from harness_plugins.students.encoder.student import EncoderStudent
        from harness_plugins.students.presets import settings_of

        source, kind = self.source(request), request.task.kind
        settings = settings_of(request.config, kind, source, augmented=request.augmented)
        check_length(source, settings.max_length)
        if source.identity != PACKAGED:
            check_encoder(source, kind, settings)
        check_used(settings, kind, augmented=request.augmented)
        return EncoderStudent(source, kind, request.task.classes, settings)

    def defaults(self) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
        """The values of the keys by preset."""
        from harness_plugins.students.presets import by_preset
        from harness_plugins.students.sources import Source, packaged

        return by_preset(packaged() if self.source is _packaged else Source(Path(), "any other"))


def _packaged(request: StudentRequest) -> Source:
    from harness_plugins.students.sources import packaged

    request.spec.no_argument()
    request.spec.check_options()
    return packaged()


def _on_hub(request: StudentRequest) -> Source:
    from harness_plugins.students.sources import from_hub

    request.spec.no_argument()
    request.spec.check_options()
    return from_hub(request.spec.name)


def _named(request: StudentRequest) -> Source:
    from harness_plugins.students.sources import named_source

    return named_source(request)


def _tfidf(request: StudentRequest) -> Student:
    from harness_plugins.students.tfidf import TfidfStudent

    return TfidfStudent.from_request(request)


ENCODERS = (
    ("minilm", _packaged, "fine-tunes the packaged all-MiniLM-L6-v2, no hub needed"),
    ("roberta", _on_hub, "fine-tunes roberta-base (hub); FreeAL's for sentences"),
    ("biomed-roberta", _on_hub, "fine-tunes biomed_roberta_base (hub); FreeAL's for medical texts"),
    ("bert", _on_hub, "fine-tunes bert-base-cased (hub); for tokens"),
    (
        "transformers",
        _named,
        "fine-tunes any encoder: transformers:MODEL of the hub, or its folder",
    ),
)
