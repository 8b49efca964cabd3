"""What a run would send to a language model, and cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness import abilities
from harness.config import Config
from harness.protocols import Estimate, Parts
from harness.record import layout
from harness.run.splits import Splits

ASKING = {"task", "seed", "limit", "validation", "annotator", "demonstrations"}
"""Keys of the configuration that decide what is asked in the first round."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a run that asks a language model.

    ``what`` is ``written``, ``train``, ``test`` or ``variants``, as in ``StageResult.spending``.
    The estimate is an upper bound: later stages ask only for what the selector requests, and
    recorded replies cost nothing.
    """

    stage: str
    what: str
    estimate: Estimate


def plan(parts: Parts, config: Config, splits: Splits) -> list[PlannedStep]:
    """The steps that ask a language model, in order."""
    steps = _annotating(parts, config, splits)
    estimate = abilities.estimate_variants(parts.augmenter, splits.train.pool)
    if estimate is not None:
        first = sum(step.stage in ("R0", "R1") for step in steps)
        steps.insert(first, PlannedStep(layout.student_stage(0), "variants", estimate))
    return steps


def _annotating(parts: Parts, config: Config, splits: Splits) -> list[PlannedStep]:
    """The annotator's steps; none if it asks no language model."""
    annotator, card, train = parts.annotator, parts.task.card, splits.train.pool
    generated, steps = config.demonstrations.generated, []
    writes = generated and abilities.writer(annotator) is not None
    if writes and (estimate := abilities.estimate_writing(annotator, train)) is not None:
        steps.append(PlannedStep(layout.annotator_stage(0), "written", estimate))
    shots = config.demonstrations.shots or card.prompt.shots
    for round_ in range(config.rounds):
        shown = shots if round_ or writes or (generated and card.generated) else 0
        stage = layout.annotator_stage(round_, zero_shot=not shown)
        for split in (splits.train, *splits.scored.values()):
            estimate = abilities.estimate(annotator, split.pool, shown)
            if estimate is not None:
                steps.append(PlannedStep(stage, split.pool.split, estimate))
    return steps


def together(runs: Sequence[tuple[Config, Sequence[PlannedStep]]]) -> list[PlannedStep]:
    """The steps of several runs, added up by stage; what runs ask alike is counted once.

    The first round's requests are the same where annotator, demonstrations and data are; what is
    asked later depends on the students.
    """
    seen: set[str] = set()
    steps: dict[tuple[str, str], list[PlannedStep]] = {}
    for config, planned in runs:
        for step in planned:
            first = step.stage in ("R0", "R1")
            asked = config.model_dump_json(include=ASKING if first else None)
            key = f"{step.stage} {step.what} {asked}"
            if key not in seen:
                seen.add(key)
                steps.setdefault((step.stage, step.what), []).append(step)
    return [PlannedStep(*key, total(of)) for key, of in sorted(steps.items())]


def total(steps: Sequence[PlannedStep]) -> Estimate:
    """All steps together; cost and time are None where one of them is not known."""
    estimates = [step.estimate for step in steps]

    def known(values: Sequence[float | None]) -> float | None:
        return None if None in values else sum(value or 0.0 for value in values)

    return Estimate(
        requests=sum(one.requests for one in estimates),
        prompt_tokens=sum(one.prompt_tokens for one in estimates),
        completion_tokens=sum(one.completion_tokens for one in estimates),
        cost_usd=known([one.cost_usd for one in estimates]),
        seconds=known([one.seconds for one in estimates]),
        remark="; ".join(dict.fromkeys(one.remark for one in estimates if one.remark)),
    )
