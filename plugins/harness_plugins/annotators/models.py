"""Registers the annotators that ask a language model: by service and model, or by a preset."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Annotator, AnnotatorRequest
    from harness_plugins.llm.presets import Preset


@hookimpl
def harness_register_annotators(register: Register) -> None:
    """The three services, and the presets."""
    from harness_plugins.llm.presets import PRESETS

    register(
        "openai",
        _llm,
        summary="openai:MODEL, from the vendor or any compatible server (annotator.base_url)",
    )
    register("litellm", _llm, summary="litellm:PROVIDER/MODEL, any provider that litellm knows")
    register("transformers", _llm, summary="transformers:MODEL, a causal language model run here")
    for preset in PRESETS.values():
        register(preset.name, preset_factory(preset), summary=preset.summary)


def preset_factory(preset: Preset) -> Callable[[AnnotatorRequest], Annotator]:
    """What makes the annotator of a preset."""
    return partial(_llm, preset=preset)


def _llm(request: AnnotatorRequest, preset: Preset | None = None) -> Annotator:
    from harness_plugins.annotators.llm.annotator import LlmAnnotator

    return LlmAnnotator.from_request(request, preset)
