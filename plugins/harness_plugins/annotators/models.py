"""Registers the annotators that ask a language model: by service and model, or by a preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import hookimpl
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Annotator, AnnotatorRequest
    from harness_plugins.llm.presets import Preset


@hookimpl
def harness_register_annotators(register: Register) -> None:
    """The three services, and the presets."""
    from harness_plugins.llm.presets import PRESETS
    from harness_plugins.llm.settings import LlmKeys

    register(
        "openai",
        _built_in,
        summary="openai:MODEL, from the vendor or any compatible server (annotator.base_url)",
        config=LlmKeys,
    )
    register(
        "litellm",
        _built_in,
        summary="litellm:PROVIDER/MODEL, any provider that litellm knows",
        config=LlmKeys,
    )
    register(
        "transformers",
        _built_in,
        summary="transformers:MODEL, a causal language model run here",
        config=LlmKeys,
    )
    for preset in PRESETS.values():
        register(
            preset.name,
            PresetFactory(preset),
            summary=preset.summary,
            config=LlmKeys,
            default=preset.name == "gpt-small",
        )


@dataclass(frozen=True, slots=True)
class PresetFactory:
    """What makes the annotator of a preset; ``harness show annotator`` shows its settings."""

    preset: Preset

    def __call__(self, request: AnnotatorRequest) -> Annotator:
        """The annotator.

        Raises:
            CommandError: if the request is wrong, or the name is a user's preset as well.
        """
        make = _built_in if self.preset.file is None else _llm
        return make(request, self.preset)

    def describe(self) -> Mapping[str, object]:
        """Its spec, the keys that it sets, and the file that it is from."""
        file = {} if self.preset.file is None else {"file": str(self.preset.file)}
        keys = {f"annotator.{key}": value for key, value in self.preset.values.items()}
        return {"spec": self.preset.spec, **keys, **file}


def _built_in(request: AnnotatorRequest, preset: Preset | None = None) -> Annotator:
    from harness_plugins.llm.presets import refuse_ambiguous, user_presets

    try:
        own = user_presets()
    except ConfigError:  # told by the plugin that registers them; it costs no other annotator
        own = {}
    refuse_ambiguous(request.spec.name, own)
    return _llm(request, preset)


def _llm(request: AnnotatorRequest, preset: Preset | None = None) -> Annotator:
    from harness_plugins.annotators.llm.annotator import LlmAnnotator

    return LlmAnnotator.from_request(request, preset)
