"""Registers the built-in augmenters; their modules are imported when one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Augmenter, AugmenterRequest


@hookimpl
def harness_register_augmenters(register: Register) -> None:
    """Those that need no model."""
    register(
        "recorded",
        _recorded,
        summary="variants made before: recorded:FILE.jsonl or .csv with the key 'augmented'",
        kinds=["sequence"],
    )


def _recorded(request: AugmenterRequest) -> Augmenter:
    from harness_plugins.augmenters.recorded import RecordedAugmenter

    return RecordedAugmenter.from_request(request)
