"""What a task may tell beside its examples. A task needs none of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

__all__ = ["Declared", "Noted", "Sourced"]


@runtime_checkable
class Noted(Protocol):
    """A task that has something to say about the data it loaded."""

    @property
    def notes(self) -> Sequence[str]:
        """One line each, of what was loaded so far: conversions, unexpected sizes."""


@runtime_checkable
class Sourced(Protocol):
    """A task that knows where its data comes from."""

    @property
    def at_hand(self) -> bool:
        """Whether the data can be loaded without asking anybody over the network."""

    def origin(self) -> Mapping[str, object]:
        """Plain values for a result's provenance: files, or a repository and its commit."""


@runtime_checkable
class Declared(Protocol):
    """A task that was declared in a file, and can show all of it."""

    def declared(self) -> Mapping[str, object]:
        """The declaration as plain values; ``harness show task`` prints them."""
