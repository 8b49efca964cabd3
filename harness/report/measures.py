"""What a table can show of a stage, with its title and unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import CommandError, nearest
from harness.metrics import SCORE_NAMES, Score
from harness.results import StageResult

Reader = Callable[[StageResult], float | None]
"""The value of a stage; shares in [0, 1]."""


def _score(split: str) -> Reader:
    def score(stage: StageResult) -> float | None:
        found: Score | None = getattr(stage, split)
        return None if found is None else found.score

    return score


SCORES: Mapping[str, tuple[str, str]] = {
    "pool": ("transductive", "train"),
    "test": ("inductive", "test"),
    "validation": ("validation", "validation"),
    "test_without_leaked": ("inductive_without_leaked", ""),
}
"""Field of a stage's result, and split of its outcomes, of each metric that is a score."""

EARLIER = {
    "transductive": "pool",
    "inductive": "test",
    "inductive_without_leaked": "test_without_leaked",
}
"""Names that metrics had, and still may be called by."""

METRICS: Mapping[str, Reader] = {
    **{name: _score(field) for name, (field, _) in SCORES.items()},
    **{name: _score(name) for name in EARLIER},
    "answered": lambda stage: stage.answered_score,
    "combined": lambda stage: stage.combined,
    "random_label": lambda stage: (
        None if stage.transductive is None else stage.transductive.random_label
    ),
    "agreement": lambda stage: stage.agreement,
    "confidence": lambda stage: stage.confidence,
    "noise": lambda stage: stage.noise,
    "trusted_precision": lambda stage: (
        None if stage.selection is None else stage.selection.trusted_precision
    ),
    "cost_usd": lambda stage: stage.cost_usd,
    "answers_usd": lambda stage: price_of(stage),
    "seconds": lambda stage: stage.seconds,
}
"""What a table can show of a stage."""

TITLES = {
    "pool": "{score} on the pool",
    "test": "{score} on test",
    "validation": "{score} on validation",
    "test_without_leaked": "{score} on test without texts of the pool",
    "answered": "{score} on the answered examples of the pool",
    "combined": "{score} on the pool by the labels of annotator and student together",
    "random_label": "accuracy on the pool, abstentions drawn at random",
    "agreement": "examples on which annotator and student agree",
    "confidence": "mean confidence",
    "noise": "wrong labels as the student estimates",
    "trusted_precision": "trusted labels that are right",
    "cost_usd": "paid by these runs",
    "answers_usd": "cost of the answers, whoever paid",
    "seconds": "wall-clock time",
}
UNITS = {"cost_usd": "US$", "answers_usd": "US$", "seconds": "s"}
"""Of metrics that are not shares."""
SHARE_UNIT = "%"


def price_of(stage: StageResult) -> float:
    """US$ of a stage's answers, whoever paid; in runs of earlier versions what the run paid."""
    return stage.cost_usd if stage.answers_usd is None else stage.answers_usd


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric.

    Attributes:
        name: a name of ``METRICS``, none of ``EARLIER``.
        read: its value for a stage.
        unit: ``%`` of shares, which are kept in [0, 1].
    """

    name: str
    read: Reader
    unit: str

    @property
    def split(self) -> str:
        """The split of which a stage's outcomes tell this score by example; else empty."""
        return SCORES.get(self.name, ("", ""))[1]

    def of(self, stage: StageResult) -> Score | None:
        """The whole score, where the metric is one."""
        found: Score | None = getattr(stage, SCORES[self.name][0]) if self.name in SCORES else None
        return found

    def title(self, metrics: set[str]) -> str:
        """What is measured, and its unit; ``metrics`` are those of the tasks."""
        score = " or ".join(SCORE_NAMES[one] for one in sorted(metrics)) or "score"
        return f"{TITLES[self.name].format(score=score)}, {self.unit}"


def measure(name: str) -> Measure:
    """A metric by its name, or one that it had earlier; else a ``CommandError``."""
    if name not in METRICS:
        raise CommandError(f"--metric: unknown metric {name!r}; {nearest(name, METRICS)}")
    now = EARLIER.get(name, name)
    return Measure(now, METRICS[now], UNITS.get(now, SHARE_UNIT))
