"""Registers the built-in annotators that ask no language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register


@hookimpl
def harness_register_annotators(register: Register) -> None:
    """Those that need no LLM."""
    register(
        "embedding",
        "harness_plugins.annotators.embedding:EmbeddingAnnotator.from_request",
        summary="no LLM: similarity of sentence embeddings to labels, then to demonstrations",
        kinds=["sequence"],
    )
    register(
        "rules",
        "harness_plugins.annotators.rules:RulesAnnotator.from_request",
        summary="patterns and word lists of the task's TOML file",
    )
    register(
        "replay",
        "harness_plugins.annotators.replay:ReplayAnnotator.from_request",
        summary="recorded answers: replay:FILE.jsonl or replay:RUN",
    )
    register(
        "oracle",
        "harness_plugins.annotators.simulated:OracleAnnotator.from_request",
        summary="SIMULATED: the gold labels themselves (supervised)",
    )
    register(
        "noisy",
        "harness_plugins.annotators.simulated:noisy_from_request",
        summary="SIMULATED: gold labels with errors (supervised)",
    )
