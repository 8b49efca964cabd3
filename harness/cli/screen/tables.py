"""How results look on a terminal. Names come from users and are never read as markup."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from harness.report.tables import SETTINGS

if TYPE_CHECKING:
    from harness.metrics import Score
    from harness.report.tables import Table
    from harness.results import RunResult, StageResult

COLUMNS = ("stage", "actor", "pool", "test", "abstained", "trusted", "shown", "s")
LONG = 12
"""Letters of a key that has a column as wide as itself."""
UNSCORED = ("sure", "agree", "noise")
"""Columns in place of the pool's score where it has no gold labels."""


def stages_table(result: RunResult) -> RichTable:
    """The stages of a run, one row each; of a selection its size and how much is right."""
    metric = "accuracy" if result.metric == "accuracy" else "entity F1"
    annotator = result.config["annotator"]["spec"]
    student = result.config["student"]["spec"]
    if augmenter := result.config["student"].get("augmenter"):
        student = f"{student} on variants by {augmenter}"
    title = Text(f"{result.task}: {annotator} + {student}, {metric} in %", style="bold")
    if result.supervised:
        title.append("\nsupervised: the annotator reads gold labels", style="yellow")
    columns = _columns(result)
    if result.leaked is not None:
        title.append(f"\n* test rows without the {result.leaked} whose text occurs in the pool")
    if (last := result.stages[-1].transductive) is not None and last.interval is not None:
        low, high = (100 * bound for bound in last.interval)
        title.append(
            f"\npool: scores of its {last.n} rows with gold; of the last stage the 95 % interval "
            f"is {low:.1f} to {high:.1f}"
        )
    if last is None:
        title.append("\nno gold labels, no scores; sure: mean confidence; agree: share on which")
        title.append("\nannotator and student agree; noise: wrong labels as the student estimates")
    if "actor" not in columns:
        title.append(f"\n{_actors(result)}")
    table = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.show_edge = False
    for column in columns:
        left = column in ("stage", "actor")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for stage in result.stages:
        cells = stage_cells(stage)
        table.add_row(*(cells[column] for column in columns))
    return table


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


def _actors(result: RunResult) -> str:
    """Who makes which stages, in a line above a table without room for it."""
    stages: dict[str, list[str]] = {}
    for stage in result.stages:
        stages.setdefault(stage.actor, []).append(stage.stage)
    return "; ".join(f"{actor}: {', '.join(names)}" for actor, names in stages.items())


def stage_cells(stage: StageResult) -> dict[str, str]:
    """The cells of one stage by their columns; shares in per cent."""
    selection = stage.selection
    trusted = demonstrations = "–"
    if selection is not None:
        trusted = _counted(selection.trusted, selection.trusted_precision)
        demonstrations = _counted(selection.demonstrations, selection.demonstrations_accuracy)
    return {
        "stage": stage.stage,
        "actor": stage.actor,
        "pool": percent_of(stage.transductive),
        "sure": _percent(stage.confidence),
        "agree": _percent(stage.agreement),
        "noise": _percent(stage.noise),
        "test": percent_of(stage.inductive),
        "test*": percent_of(stage.inductive_without_leaked),
        "valid": percent_of(stage.validation),
        "abstained": str(stage.abstained),
        "trusted": trusted,
        "shown": demonstrations,
        "s": f"{stage.seconds:.1f}",
    }


def _counted(count: int, right: float | None) -> str:
    """So many, and the share of them that is right where that is known."""
    return f"{count}" + ("" if right is None and count else f": {_percent(right)}")


def table_picture(table: Table) -> Group:
    """A table of results; differing settings are long, so they stand below, by letters."""
    title = Text(table.title, style="bold")
    picture = RichTable(
        title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    settings = table.keys.index(SETTINGS) if SETTINGS in table.keys else None
    letters: dict[str, str] = {}
    rows = table.texts()
    for row in rows:
        if settings is not None and row[settings]:
            row[settings] = letters.setdefault(row[settings], _letter(len(letters)))
    # Where there is no room for all, deviations go below their means, and long keys are folded.
    for index, name in enumerate(table.header):
        key = name in table.keys
        short = key and max(len(row[index]) for row in rows) <= LONG
        picture.add_column(
            "" if name == SETTINGS else name,
            justify="left" if key else "right",
            overflow="fold",
            no_wrap=short,
        )
    for row in rows:
        picture.add_row(*(Text(cell) for cell in row))
    said = [Text(f"{letter}  {what}") for what, letter in letters.items()]
    return Group(picture, *said)


def _letter(index: int) -> str:
    """a, b, ..., z, a2, b2, ..."""
    letter = ascii_lowercase[index % len(ascii_lowercase)]
    rest = index // len(ascii_lowercase)
    return letter if not rest else f"{letter}{rest + 1}"


def percent_of(score: Score | None) -> str:
    """A score in per cent with one digit; a dash where there is none."""
    return "–" if score is None else _percent(score.score)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"
