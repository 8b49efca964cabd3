"""Registers the built-in annotators that ask no language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl
from harness_plugins.annotators import simulated
from harness_plugins.annotators.embedding import EmbeddingAnnotator
from harness_plugins.annotators.replay import ReplayAnnotator
from harness_plugins.annotators.rules import RulesAnnotator

if TYPE_CHECKING:
    from harness.hookspecs import Register


@hookimpl
def harness_register_annotators(register: Register) -> None:
    """Those that need no LLM."""
    register(
        "embedding",
        EmbeddingAnnotator.from_request,
        summary="no LLM: similarity of sentence embeddings to labels, then to demonstrations",
        kinds=["sequence"],
    )
    register(
        "rules",
        RulesAnnotator.from_request,
        summary="patterns and word lists of the task's TOML file",
    )
    register(
        "replay",
        ReplayAnnotator.from_request,
        summary="recorded answers: replay:FILE.jsonl or replay:RUN",
    )
    register(
        "oracle",
        simulated.OracleAnnotator.from_request,
        summary="SIMULATED: the gold labels themselves (supervised)",
    )
    register(
        "noisy",
        simulated.noisy_from_request,
        summary="SIMULATED: gold labels with errors (supervised)",
    )
