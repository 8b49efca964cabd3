"""Tables on a terminal. Names come from users and are never read as markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from harness.metrics import Score
    from harness.protocols import Estimate
    from harness.results import RunResult, StageResult
    from harness.run.planning import PlannedStep

COLUMNS = ("stage", "actor", "pool", "test", "abstained", "trusted", "shown", "s")
UNSCORED = ("sure", "agree")
"""Columns in place of the pool's score where it has no gold labels."""


def titled(
    title: str | Text,
    left: Sequence[str] = (),
    right: Sequence[str] = (),
    *,
    no_wrap: bool = False,
    **style: Any,
) -> RichTable:
    """An empty table: its title, and its columns, the first ones left-justified."""
    text = Text(title, style="bold") if isinstance(title, str) else title
    table = RichTable(title=text, title_justify="left", box=SIMPLE_HEAD, **style)
    for name in left:
        table.add_column(name, overflow="fold", no_wrap=no_wrap)
    for name in right:
        table.add_column(name, justify="right", no_wrap=no_wrap)
    return table


def stages_table(result: RunResult) -> RichTable:
    """The stages of a run, one row each; of a selection its size and how much is right."""
    from harness.metrics import SCORE_NAMES  # with numpy, which no list or help needs

    metric = SCORE_NAMES[result.metric]
    annotator = result.config["annotator"]["spec"]
    student = result.config["student"]["spec"]
    if augmenter := result.config["student"].get("augmenter"):
        student = f"{student} on variants by {augmenter}"
    title = Text(f"{result.task}: {annotator} + {student}, {metric} in %", style="bold")
    if result.supervised:
        title.append(f"\nsupervised: {_who_reads(result)} gold labels", style="yellow")
    columns = _columns(result)
    if result.leaked is not None:
        title.append(f"\n* test rows without the {result.leaked} whose text occurs in the pool")
    if (last := result.stages[-1].transductive) is not None and last.interval is not None:
        low, high = (100 * bound for bound in last.interval)
        title.append(
            f"\npool: scores of its {last.n} rows with gold; of the last stage the 95 % interval "
            f"is {low:.1f} to {high:.1f}"
        )
    if last is not None and any(stage.abstained for stage in result.stages):
        title.append(f"\npool, rows with an answer: {_of_answered(result)}")
    if last is None:
        title.append("\nno gold labels, no scores; sure: mean confidence; agree: share on which")
        title.append("\nannotator and student agree (no measure of how many labels are right)")
    if result.answers_usd or result.cost_usd:
        title.append(f"\n{_costs(result)}")
    if "actor" not in columns:
        title.append(f"\n{_actors(result)}")
    left = [column for column in columns if column in ("stage", "actor")]
    table = titled(title, left, columns[len(left) :], no_wrap=True, padding=(0, 1, 0, 0))
    table.show_edge = False
    for stage in result.stages:
        cells = stage_cells(stage)
        table.add_row(*(cells[column] for column in columns))
    return table


def _costs(result: RunResult) -> str:
    """What the run paid, and what its answers cost whoever paid, where that is recorded."""
    paid = f"paid ${result.cost_usd:.4f}"
    if result.answers_usd is None:
        return paid
    return f"{paid}; its answers cost ${result.answers_usd:.4f}, whoever paid"


def _who_reads(result: RunResult) -> str:
    """Which parts read gold labels; results of earlier versions do not say."""
    found = result.provenance.get("reads_gold") or ["annotator"]
    trust = f"the selector of trust ({result.config['selector']['trust']})"
    named = {"annotator": "the annotator", "selector.trust": trust}
    return " and ".join(named[one] for one in found) + (" reads" if len(found) == 1 else " read")


def _columns(result: RunResult) -> list[str]:
    """The columns that this run needs, without the actor's where 80 do not hold them."""
    columns = list(COLUMNS)
    if result.stages[-1].transductive is None:
        place = columns.index("pool")
        columns[place : place + 1] = UNSCORED
    if any(stage.validation is not None for stage in result.stages):
        columns.insert(columns.index("test") + 1, "valid")
    if result.leaked is not None:
        columns.insert(columns.index("test") + 1, "test*")
    if all(stage.inductive is None for stage in result.stages) and "pool" not in columns:
        columns.remove("test")
    if len(columns) > len(COLUMNS) + 1:
        columns.remove("actor")
    return columns


def _of_answered(result: RunResult) -> str:
    """The score of each stage on the rows that the annotator answered."""
    scores = ((stage.stage, percent(stage.answered_score)) for stage in result.stages)
    return ", ".join(f"{name} {score}" for name, score in scores)


def _actors(result: RunResult) -> str:
    """Who makes which stages, in a line above a table without room for it."""
    stages: dict[str, list[str]] = {}
    for stage in result.stages:
        stages.setdefault(stage.actor, []).append(stage.stage)
    return "; ".join(f"{actor}: {', '.join(names)}" for actor, names in stages.items())


def stage_cells(stage: StageResult) -> dict[str, str]:
    """The cells of one stage by their columns; shares in per cent."""
    trusted = shown = "–"
    if (made := stage.selection) is not None:
        trusted = _counted(made.trusted, made.trusted_precision)
        shown = _counted(made.demonstrations, made.demonstrations_accuracy)
    return {
        "stage": stage.stage,
        "actor": stage.actor,
        "pool": percent_of(stage.transductive),
        "sure": percent(stage.confidence),
        "agree": percent(stage.agreement),
        "test": percent_of(stage.inductive),
        "test*": percent_of(stage.inductive_without_leaked),
        "valid": percent_of(stage.validation),
        "abstained": str(stage.abstained),
        "trusted": trusted,
        "shown": shown,
        "s": f"{stage.seconds:.1f}",
    }


def _counted(count: int, right: float | None) -> str:
    """A number, and the share that is right where that is known."""
    return f"{count}" + ("" if right is None and count else f": {percent(right)}")


def plan_table(title: str, steps: Sequence[PlannedStep], total: Estimate) -> RichTable:
    """What each step of a run would send, cost, and how long asking takes."""
    right = ("requests", "prompt tokens", "reply tokens", "$", "asking")
    table = titled(title, ("stage", "what"), right, no_wrap=True)
    for step in steps:
        table.add_row(step.stage, step.what, *_estimate(step.estimate))
    table.add_section()
    table.add_row("all", "", *_estimate(total), style="bold")
    return table


def _estimate(estimate: Estimate) -> tuple[str, ...]:
    cost, seconds = estimate.cost_usd, estimate.seconds
    return (
        f"{estimate.requests:,}",
        f"{estimate.prompt_tokens:,}",
        f"{estimate.completion_tokens:,}",
        "?" if cost is None else f"{cost:.2f}" if cost >= 0.01 or cost == 0 else f"{cost:.4f}",
        "?" if seconds is None else clock(seconds),
    )


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def percent_of(score: Score | None) -> str:
    """A score in per cent with one digit; a dash where there is none."""
    return "–" if score is None else percent(score.score)


def percent(share: float | None, digits: int = 1) -> str:
    """A share in per cent; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.{digits}f}"
