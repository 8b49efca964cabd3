"""Registers the built-in students; their modules are imported when one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Student, StudentRequest


@hookimpl
def harness_register_students(register: Register) -> None:
    """A packaged encoder, and a model without any."""
    register("minilm", _minilm, summary="fine-tunes the packaged all-MiniLM-L6-v2, no hub needed")
    register(
        "tfidf",
        _tfidf,
        summary="logistic regression on word and character n-grams, seconds to train",
        kinds=["sequence"],
    )


def _minilm(request: StudentRequest) -> Student:
    from harness_plugins.students.encoder import minilm_from_request

    return minilm_from_request(request)


def _tfidf(request: StudentRequest) -> Student:
    from harness_plugins.students.tfidf import TfidfStudent

    return TfidfStudent.from_request(request)
