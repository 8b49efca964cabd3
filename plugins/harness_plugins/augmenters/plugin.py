"""Registers the built-in augmenters; their modules are imported when one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Augmenter, AugmenterRequest


@hookimpl
def harness_register_augmenters(register: Register) -> None:
    """All built-in ones."""
    register(
        "recorded",
        _recorded,
        summary="variants made before: recorded:FILE.jsonl or .csv with the key 'augmented'",
        kinds=["sequence"],
    )
    register(
        "paraphrase",
        _paraphrase,
        summary="a language model says each text in other words: paraphrase:openai:MODEL",
        kinds=["sequence"],
    )


def _recorded(request: AugmenterRequest) -> Augmenter:
    from harness_plugins.augmenters.recorded import RecordedAugmenter

    return RecordedAugmenter.from_request(request)


def _paraphrase(request: AugmenterRequest) -> Augmenter:
    from harness_plugins.augmenters.paraphrase import ParaphraseAugmenter

    return ParaphraseAugmenter.from_request(request)
