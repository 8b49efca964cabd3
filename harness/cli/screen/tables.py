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
AFTER_TEST = COLUMNS.index("test") + 1


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
    if "actor" not in columns:
        title.append(f"\n{_actors(result)}")
    table = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.show_edge = False
    for column in columns:
        left = column in ("stage", "actor")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for stage in result.stages:
        cells = dict(zip(COLUMNS, stage_row(stage), strict=True))
        cells["valid"] = percent_of(stage.validation)
        cells["test*"] = percent_of(stage.inductive_without_leaked)
        table.add_row(*(cells[column] for column in columns))
    return table


def _columns(result: RunResult) -> list[str]:
    """The columns that this run needs, without the actor's where 80 do not hold them."""
    columns = list(COLUMNS)
    if any(stage.validation is not None for stage in result.stages):
        columns.insert(AFTER_TEST, "valid")
    if result.leaked is not None:
        columns.insert(AFTER_TEST, "test*")
    if len(columns) > len(COLUMNS) + 1:
        columns.remove("actor")
    return columns


def _actors(result: RunResult) -> str:
    """Who makes which stages, in a line above a table without room for it."""
    stages: dict[str, list[str]] = {}
    for stage in result.stages:
        stages.setdefault(stage.actor, []).append(stage.stage)
    return "; ".join(f"{actor}: {', '.join(names)}" for actor, names in stages.items())


def stage_row(stage: StageResult) -> tuple[str, ...]:
    """The cells of one stage, in the order of ``COLUMNS``."""
    selection = stage.selection
    trusted = demonstrations = "–"
    if selection is not None:
        trusted = f"{selection.trusted}: {_percent(selection.trusted_precision)}"
        demonstrations = (
            f"{selection.demonstrations}: {_percent(selection.demonstrations_accuracy)}"
        )
    return (
        stage.stage,
        stage.actor,
        percent_of(stage.transductive),
        percent_of(stage.inductive),
        str(stage.abstained),
        trusted,
        demonstrations,
        f"{stage.seconds:.1f}",
    )


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
