"""The ``back-translation`` augmenter: into another language and back.

As FreeAL's augmented texts were made (en-fr-en with opus-mt-tc-big), and UDA's before them
(Xie et al., "Unsupervised Data Augmentation for Consistency Training", NeurIPS 2020).
"""

from __future__ import annotations

import gc
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.data import Annotations, Pool
from harness.errors import CommandError
from harness.protocols import AugmenterRequest, Progress, Variants
from harness.specs import Spec
from harness_plugins.augmenters.translator import Decoding, Translator, arithmetic, found
from harness_plugins.llm.local.files import LocalFiles

PIVOT = "fr"
BEAMS = 4
BIG = frozenset({"fr"})
"""Languages that have the larger models (opus-mt-tc-big)."""


class BackTranslation:
    """``back-translation[:PIVOT]``, a language such as ``fr`` (default), ``de`` or ``es``.

    Options: ``forward``, ``back`` (hub ids or folders of two models, in place of a pivot),
    ``beams`` (default 4), ``temperature`` (above 0: sampled, which varies more).
    """

    def __init__(self, forward: LocalFiles, back: LocalFiles, decoding: Decoding) -> None:
        self._forward, self._back, self._decoding = forward, back, decoding
        self._identities = [forward.identity(), back.identity()]

    @classmethod
    def from_request(cls, request: AugmenterRequest) -> BackTranslation:
        """Find the models; they are loaded when texts are translated.

        Raises:
            ServiceError: if a model is missing and the hub cannot be reached.
        """
        spec = request.spec
        spec.check_options("forward", "back", "beams", "temperature")
        beams = spec.option("beams", BEAMS, int)
        temperature = spec.option("temperature", 0.0, float)
        if beams < 1 or not 0 <= temperature <= 10:
            raise CommandError(f"{spec}: beams is 1 or more, temperature from 0 (beams) to 10")
        if temperature and "beams" in spec.options:
            raise CommandError(f"{spec}: either beams or a temperature")
        forward, back = models_of(spec)
        return cls(found(forward), found(back), Decoding(beams, temperature))

    @property
    def fingerprint(self) -> str:
        """A hash of both models, of the decoding and of the arithmetic."""
        asked = json.dumps(self.describe(), sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()[:16]

    def describe(self) -> Mapping[str, object]:
        """The models and the decoding."""
        return {
            "forward": self._identities[0],
            "back": self._identities[1],
            "beams": self._decoding.beams,
            "temperature": self._decoding.temperature,
            "arithmetic": arithmetic(),
        }

    def augment(
        self, pool: Pool, annotations: Annotations | None, seed: int, progress: Progress
    ) -> Variants:
        """Each text there and back; a text without a translation stays as it is."""
        texts, n = list(pool.texts), len(pool)
        there = self._translated(self._forward, texts, seed, lambda done: progress(done, 2 * n))
        again = [text or old for text, old in zip(there, texts, strict=True)]
        here = self._translated(self._back, again, seed, lambda done: progress(n + done, 2 * n))
        ways = zip(texts, there, here, strict=True)
        kept = [back if way and back else text for text, way, back in ways]
        return Variants(replace(pool, examples=kept))

    def _translated(
        self, files: LocalFiles, texts: Sequence[str], seed: int, progress: Callable[[int], None]
    ) -> list[str]:
        """By one model, whose memory is then free for the other."""
        translator = Translator(files, self._decoding)
        try:
            return translator.translate(texts, seed, progress)
        finally:
            del translator
            gc.collect()


def models_of(spec: Spec) -> tuple[str, str]:
    """The two models that a spec names: both, or by a pivot."""
    named = [spec.options.get(key) for key in ("forward", "back")]
    if any(named):
        forward, back = named
        if not forward or not back or spec.argument is not None:
            raise CommandError(f"{spec}: give both forward=MODEL and back=MODEL, and no pivot")
        return forward, back
    pivot = PIVOT if spec.argument is None else spec.argument
    if not re.fullmatch("[a-z]{2,3}", pivot) or pivot == "en":
        raise CommandError(
            f"{spec}: the pivot is a language other than English, such as fr, de or es; "
            "other models: forward=MODEL,back=MODEL"
        )
    family = "Helsinki-NLP/opus-mt-tc-big" if pivot in BIG else "Helsinki-NLP/opus-mt"
    return f"{family}-en-{pivot}", f"{family}-{pivot}-en"
