"""Which record of a run tells what was bought."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Counting"]


@dataclass(slots=True)
class Counting:
    """The record of the run folder that counts what is bought now; see ``Account.record``."""

    record: str = ""

    @contextmanager
    def by(self, record: str) -> Iterator[None]:
        """What is bought in a ``with`` block is counted by this record."""
        self.record = record
        try:
            yield
        finally:
            self.record = ""
