"""Those who watch a run, and what they learn of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results import StageResult


class Watcher:
    """Watches a run. This one ignores everything; others override what they show."""

    def began(self, stage: str, actor: str, activity: str) -> None:
        """A stage begins an activity (``annotating train``, ``training``, ...)."""

    def advanced(self, done: int, total: int) -> None:
        """The activity has done some of its work."""

    def finished(self, stage: StageResult) -> None:
        """A stage has its result (also one that an earlier process recorded)."""

    def noted(self, message: str) -> None:
        """Something the user should know, on one line."""
