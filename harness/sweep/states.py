"""What is known of the runs of a sweep while they are done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from harness.sweep.grid import Job

State: TypeAlias = Literal["waiting", "running", "done", "found", "failed", "stopped"]


@dataclass(slots=True)
class JobState:
    """One run.

    Attributes:
        state: ``found``: it was finished before; ``stopped``: by the budget.
        doing: what it does now.
        seconds: since it began, or that it took.
        did: seconds of the steps that it did itself.
        shared: seconds of the steps that other runs had done for it.
        error: why it failed or was stopped.
        tries: how often it was begun.
    """

    job: Job
    state: State = "waiting"
    doing: str = ""
    seconds: float = 0.0
    did: float = 0.0
    shared: float = 0.0
    error: str = ""
    tries: int = 0

    @property
    def finished(self) -> bool:
        """Whether its result is there."""
        return self.state in ("done", "found")


class SweepWatcher(Protocol):
    """Sees the states of a sweep."""

    def changed(self, state: JobState, states: Sequence[JobState]) -> None:
        """A run began, ended, or does something else now."""

    def noted(self, message: str) -> None:
        """Something the user should know, on one line."""


class HasState(Protocol):
    """A run of a sweep, done or not."""

    @property
    def state(self) -> State:
        """What became of it so far."""


def summary(states: Sequence[HasState]) -> str:
    """How many runs are in which state: ``3 running, 20 done, 1 failed``."""
    counts = Counter(state.state for state in states)
    order: tuple[State, ...] = ("running", "waiting", "found", "done", "stopped", "failed")
    return ", ".join(f"{counts[one]} {one}" for one in order if counts[one])
