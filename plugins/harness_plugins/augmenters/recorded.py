"""The ``recorded`` augmenter: variants from a file, such as back-translations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.data import Annotations, Pool
from harness.errors import CommandError, DataError
from harness.protocols import AugmenterRequest, Progress, Variants
from harness_plugins.recordings import Recording, open_variants


class RecordedAugmenter:
    """Reads the ``augmented`` key of ``recorded:FILE.jsonl``, or that column of a csv file."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    @classmethod
    def from_request(cls, request: AugmenterRequest) -> RecordedAugmenter:
        """Open the recording that the spec names."""
        request.spec.check_options()
        if not request.spec.argument:
            raise CommandError("recorded needs a file: recorded:FILE.jsonl or recorded:FILE.csv")
        file = Path(request.spec.argument)
        if not file.is_file():
            raise CommandError(f"recorded:{file}: no such file")
        return cls(open_variants(file))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the recording."""
        return self._recording.fingerprint

    def augment(
        self, pool: Pool, annotations: Annotations | None, seed: int, progress: Progress
    ) -> Variants:
        """The recorded variant of each text; the text itself where none is recorded.

        Raises:
            DataError: if nothing is recorded for the whole pool.
        """
        variants = [one.augmented if one else None for one in self._recording.find(pool)]
        if not any(variants):
            raise DataError(f"{self._recording.source}: holds no 'augmented' text for this pool")
        texts = [variant or text for variant, text in zip(variants, pool.texts, strict=True)]
        progress(len(pool), len(pool))
        return Variants(replace(pool, examples=texts))
