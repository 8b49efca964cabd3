"""Calls a part's factory, and checks that what it returns can be used as such a part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError, PartError, describe
from harness.plugin_manager.places import place_of, place_of_error, whose
from harness.plugin_manager.registration import Part

NEEDED: Mapping[str, tuple[str, ...]] = {
    "task": ("card", "default_annotator", "fingerprint", "load", "gold"),
    "annotator": ("needs_gold", "annotate"),
    "student": ("fit", "load"),
    "augmenter": ("augment",),
    "initial": ("__call__",),
    "trust": ("__call__",),
    "demonstrations": ("choose", "assign"),
    "query": ("__call__",),
    "preset": ("trust", "demonstrations", "query"),
}
"""What the protocol of each kind (of selectors, of each role) asks for."""


def made(part: Part, request: object) -> Any:
    """What a part's factory makes of a request.

    Raises:
        PartError: in one line with the part, its plugin, file and line: the factory failed, ended
            the process, or returned something that is no such part.
    """
    try:
        value = part.factory(request)
    except HarnessError:
        raise
    except ImportError as error:
        raise PartError(
            f"{part.kind} {part.name!r} needs {error.name}: pip install {error.name} "
            f"{whose(part.plugin, place_of_error(error))}"
        ) from error
    except (Exception, SystemExit) as error:
        raise PartError(
            f"{part.kind} {part.name!r} could not be made: {describe(error)} "
            f"{whose(part.plugin, place_of_error(error))}"
        ) from error
    if missing := lacking(value, part.role):
        raise PartError(
            f"{part.kind} {part.name!r}: its factory returned {_named(value)} without "
            f"{', '.join(missing)}; see harness.protocols "
            f"{whose(part.plugin, place_of(part.factory))}"
        )
    return value


def lacking(value: object, role: str) -> list[str]:
    """What the protocol of a role asks for that a value does not have."""
    return [name for name in NEEDED.get(role, ()) if not hasattr(value, name)]


def _named(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
