"""Registers the built-in students; their modules are imported when one is used."""

from __future__ import annotations

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

    for name, factory, summary in ENCODERS:
        register(name, factory, summary=summary, config=EncoderKeys)
    register(
        "tfidf",
        _tfidf,
        summary="logistic regression on word and character n-grams, seconds to train",
        kinds=["sequence"],
    )


def _minilm(request: StudentRequest) -> Student:
    from harness_plugins.students.sources import packaged

    request.spec.no_argument()
    request.spec.check_options()
    return _encoder(request, packaged())


def _on_hub(request: StudentRequest) -> Student:
    from harness_plugins.students.sources import from_hub

    request.spec.no_argument()
    request.spec.check_options()
    return _encoder(request, from_hub(request.spec.name))


def _named(request: StudentRequest) -> Student:
    from harness_plugins.students.sources import named_source

    return _encoder(request, named_source(request))


def _encoder(request: StudentRequest, source: Source) -> Student:
    from harness_plugins.encoders import PACKAGED
    from harness_plugins.students.checking import check_encoder, check_length, check_used
    from harness_plugins.students.encoder.student import EncoderStudent
    from harness_plugins.students.presets import settings_of

    kind = request.task.kind
    settings = settings_of(request.config, kind, source, augmented=request.augmented)
    check_length(source, settings.max_length)
    if source.identity != PACKAGED:
        check_encoder(source, kind, settings)
    check_used(settings, kind, augmented=request.augmented)
    return EncoderStudent(source, kind, request.task.classes, settings)


def _tfidf(request: StudentRequest) -> Student:
    from harness_plugins.students.tfidf import TfidfStudent

    return TfidfStudent.from_request(request)


ENCODERS = (
    ("minilm", _minilm, "fine-tunes the packaged all-MiniLM-L6-v2, no hub needed"),
    ("roberta", _on_hub, "fine-tunes roberta-base (hub); FreeAL's for sentences"),
    ("biomed-roberta", _on_hub, "fine-tunes biomed_roberta_base (hub); FreeAL's for medical texts"),
    ("bert", _on_hub, "fine-tunes bert-base-cased (hub); for tokens"),
    (
        "transformers",
        _named,
        "fine-tunes any encoder: transformers:MODEL of the hub, or its folder",
    ),
)
