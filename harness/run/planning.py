"""What a run would send to a language model, and cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.config import Config
from harness.protocols import Estimate, Estimates, EstimatesVariants, Parts, Writes
from harness.run.splits import Splits

__all__ = ["Step", "plan", "total"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run that asks the annotator, or the augmenter.

    Attributes:
        stage: R0, R1, R3, ...; R2 for variants.
        what: ``written``, ``train``, ``test`` or ``variants``, as in ``StageResult.spending``.
        estimate: at most so much: later stages ask only for what the selector requests,
            and replies that are recorded already cost nothing.
    """

    stage: str
    what: str
    estimate: Estimate


def plan(parts: Parts, config: Config, splits: Splits) -> list[Step]:
    """The steps in their order that ask a language model."""
    augmenter, steps = parts.augmenter, _annotating(parts, config, splits)
    if isinstance(augmenter, EstimatesVariants):
        first = sum(step.stage in ("R0", "R1") for step in steps)
        estimate = augmenter.estimate_variants(splits.train.pool)
        steps.insert(first, Step("R2", "variants", estimate))
    return steps


def _annotating(parts: Parts, config: Config, splits: Splits) -> list[Step]:
    """The annotator's steps; none if it asks no language model."""
    annotator = parts.annotator
    if not isinstance(annotator, Estimates):
        return []
    steps = []
    generated = config.demonstrations.generated
    writes = generated and isinstance(annotator, Writes)
    if writes:
        steps.append(Step("R1", "written", annotator.estimate_writing(splits.train.pool)))
    shots = config.demonstrations.shots or parts.task.card.prompt.shots
    for round_ in range(config.rounds):
        shown = shots if round_ or writes or (generated and parts.task.card.generated) else 0
        stage = f"R{2 * round_ + 1}" if shown else "R0"
        pools = [split.pool for split in (splits.train, *splits.beside.values())]
        steps += [Step(stage, pool.split, annotator.estimate(pool, shown)) for pool in pools]
    return steps


def total(steps: Sequence[Step]) -> Estimate:
    """All steps together; cost and time are None where one of them is not known."""
    estimates = [step.estimate for step in steps]
    costs = [one.cost_usd for one in estimates]
    seconds = [one.seconds for one in estimates]
    return Estimate(
        requests=sum(one.requests for one in estimates),
        prompt_tokens=sum(one.prompt_tokens for one in estimates),
        completion_tokens=sum(one.completion_tokens for one in estimates),
        cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs),
        seconds=None if None in seconds else sum(one or 0.0 for one in seconds),
    )
