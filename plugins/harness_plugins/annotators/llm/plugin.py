"""Registers the annotators that ask a language model: one per service and per preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Annotator, AnnotatorRequest
    from harness_plugins.llm.presets import Preset
    from harness_plugins.llm.service import Service


@hookimpl
def harness_register_annotators(register: Register, services: Mapping[str, Service]) -> None:
    """Register every service and preset; last the user's, where an error costs no other one."""
    from harness_plugins.llm.presets import DEFAULT, PRESETS, user_presets

    def offer(name: str, summary: str, preset: Preset | None = None) -> None:
        register(
            name,
            LlmFactory(services, preset),
            summary=summary,
            config="harness_plugins.llm.settings:LlmKeys",
            default=name == DEFAULT,
        )

    for service in services.values():
        offer(service.name, service.summary)
    for preset in PRESETS.values():
        offer(preset.name, preset.summary, preset)
    for preset in user_presets().values():
        if preset.name not in PRESETS and preset.name not in services:  # refused where it is used
            offer(preset.name, preset.summary, preset)


@dataclass(frozen=True, slots=True)
class LlmFactory:
    """Makes the annotator of a preset, or, without one, of the service that the spec names."""

    services: Mapping[str, Service]
    preset: Preset | None = None

    def __call__(self, request: AnnotatorRequest) -> Annotator:
        """The annotator."""
        from harness_plugins.annotators.llm.annotator import LlmAnnotator
        from harness_plugins.llm.presets import refuse_ambiguous

        refuse_ambiguous(request.spec.name, self.services)
        return LlmAnnotator.from_request(request, self.services, self.preset)

    def describe(self) -> Mapping[str, object]:
        """Spec, keys and file of the preset, for ``harness show annotator``."""
        return {} if self.preset is None else self.preset.describe()
