"""Registers the built-in annotators; their modules are imported when one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Annotator, AnnotatorRequest, SupervisedAnnotator


@hookimpl
def harness_register_annotators(register: Register) -> None:
    """Those that need no LLM."""
    register(
        "embedding",
        _embedding,
        summary="no LLM: similarity of sentence embeddings to labels, then to demonstrations",
        kinds=["sequence"],
    )
    register("rules", _rules, summary="patterns and word lists of the task's TOML file")
    register("replay", _replay, summary="recorded answers: replay:FILE.jsonl or replay:RUN")
    register("oracle", _oracle, summary="SIMULATED: the gold labels themselves (supervised)")
    register("noisy", _noisy, summary="SIMULATED: gold labels with errors (supervised)")


def _embedding(request: AnnotatorRequest) -> Annotator:
    from harness_plugins.annotators.embedding import EmbeddingAnnotator

    return EmbeddingAnnotator.from_request(request)


def _rules(request: AnnotatorRequest) -> Annotator:
    from harness_plugins.annotators.rules import RulesAnnotator

    return RulesAnnotator.from_request(request)


def _replay(request: AnnotatorRequest) -> Annotator:
    from harness_plugins.annotators.replay import ReplayAnnotator

    return ReplayAnnotator.from_request(request)


def _oracle(request: AnnotatorRequest) -> SupervisedAnnotator:
    from harness_plugins.annotators.simulated import OracleAnnotator

    return OracleAnnotator.from_request(request)


def _noisy(request: AnnotatorRequest) -> SupervisedAnnotator:
    from harness_plugins.annotators.simulated import noisy_from_request

    return noisy_from_request(request)
