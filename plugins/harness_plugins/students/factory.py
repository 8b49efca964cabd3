"""Makes a student of an encoder; torch is imported when one trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness_plugins.encoders import PACKAGED
from harness_plugins.students import presets, sources
from harness_plugins.students.checking import check_encoder, check_length, check_used
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.sources import Source

if TYPE_CHECKING:
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


PACKAGED_ENCODER = EncoderFactory(sources.packaged_source)
HUB_ENCODER = EncoderFactory(sources.hub_source)
NAMED_ENCODER = EncoderFactory(sources.named_source)
