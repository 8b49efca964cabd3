"""What ``list``, ``show``, ``plugins`` and ``runs`` print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.session import console, hanging, note, say, warn
from harness.errors import UnknownNameError
from harness.plugin_manager import HasDefaults

if TYPE_CHECKING:
    from pydantic import BaseModel

    from harness.config import Config
    from harness.plugin_manager import Part, Plugins

PAGE = 88
"""Columns of a page of text, on wider screens, too."""


def print_parts(plugins: Plugins, kind: str) -> None:
    """Names and summaries of one kind of part."""
    parts = plugins.parts(kind.removesuffix("s"))
    say(f"{kind}:")
    width = max((len(name) for name in parts), default=0)
    for name in sorted(parts):
        serves = "" if len(parts[name].serves) == 2 else f"  [{parts[name].serves[0]} tasks]"
        hanging(f"  {name:<{width}}  ", parts[name].summary + serves)
    if not parts:
        say("  (none)")


def print_part(kind: str, name: str, plugins: Plugins) -> None:
    """One part: where it comes from and what its documentation says."""
    from harness import abilities
    from harness.protocols import SelectorRequest
    from harness.specs import Spec

    for part in _find(kind, name, plugins):
        say(f"{kind} {part.name}")
        say(f"  {part.summary}")
        say(f"  serves: {', '.join(part.serves)} tasks")
        say(f"  plugin: {part.plugin}")
        if kind == "selector" and part.name.startswith("preset/"):
            preset = part.factory(SelectorRequest(Spec(part.name.partition("/")[2]), shots=1))
            say(f"  trust = {preset.trust}")
            say(f"  demonstrations = {preset.demonstrations}")
            say(f"  query = {preset.query}")
        elif not isinstance(part.factory, type):
            for key, value in abilities.describe(part.factory).items():
                say(f"  {key} = {value}")
        if part.config is not None:
            _print_keys(part, part.config)


def _print_keys(part: Part, model: type[BaseModel]) -> None:
    """The keys of a part: what each means, and its value where nobody sets it."""
    columns = _columns(part, model)
    differ = any(" / " in text for cells in columns.values() for text in cells.values())
    kinds = f" ({' / '.join(part.serves)} tasks, where they differ)" if differ else ""
    say(f"  keys: --set {part.kind}.KEY=VALUE; where it is not set, the value is{kinds}:")
    keys = ([key, *(cells[key] for cells in columns.values())] for key in model.model_fields)
    rows = [["", *columns], *keys]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
        say("  " + "  ".join(cells).rstrip())
        if row[0]:
            hanging("      ", " ".join((model.model_fields[row[0]].description or "").split()))


def _columns(part: Part, model: type[BaseModel]) -> Mapping[str, Mapping[str, str]]:
    """For each set of defaults the text of each key: two values where kinds of task differ."""
    usual = {"default": {"": {key: field.default for key, field in model.model_fields.items()}}}
    found = part.factory.defaults() if isinstance(part.factory, HasDefaults) else usual

    def text(key: str, kinds: Mapping[str, Mapping[str, object]]) -> str:
        return " / ".join(dict.fromkeys(_value(values.get(key)) for values in kinds.values()))

    keys = model.model_fields
    return {name: {key: text(key, kinds) for key in keys} for name, kinds in found.items()}


def _value(value: object) -> str:
    """As it is written in TOML; a dash where there is none."""
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None or value == {} else str(value)


def print_task(name: str, plugins: Plugins, data: Path | None) -> None:
    """All that a task declares, and its data where it is at hand."""
    from rich.text import Text

    from harness import abilities
    from harness.cli.screen.task_page import task_page
    from harness.errors import DataError
    from harness.run.assembly import load_task

    missing = ""
    try:
        task = load_task(name, plugins, data)
    except DataError as error:
        missing = str(error)  # a task can be shown without its data
        task = load_task(name, plugins, data, declaration_only=True)
    screen = console()
    screen.width = min(screen.width, PAGE)
    parts = plugins.parts("student")
    students = [name for name, part in parts.items() if task.card.kind in part.serves]
    for block in task_page(task, missing, students):
        # A line by itself may be a command to copy: a terminal folds it, we do not.
        screen.print(block, soft_wrap=isinstance(block, Text))
    for said in abilities.notes(task):
        note(said)


def print_config(config: Config, plugins: Plugins) -> None:
    """The configuration as TOML, each key with what it means: the core's and the named parts'."""
    from harness.config import to_toml
    from harness.run.assembly import checked

    say(to_toml(checked(config, plugins)).rstrip())


def print_run(name: str, out: Path) -> None:
    """A run's configuration, and its stages if it is finished."""
    from harness.record import layout
    from harness.record.folder import RunFolder
    from harness.record.listing import find_run
    from harness.results import load_result

    folder = RunFolder(find_run(name, out))
    config = folder.read(layout.CONFIG, lambda path: path.read_text(encoding="utf-8"))
    result = folder.read(layout.RESULT, load_result) if folder.has(layout.RESULT) else None
    say(str(folder.path))
    say(config.rstrip())
    if result is None:
        say("\nnot finished: the same command goes on from what is recorded")
        return
    from harness.cli.screen.tables import stages_table

    console().print(stages_table(result))


def print_runs(out: Path, plugins: Plugins) -> None:
    """One line a run; finished ones that other code made than today's are marked."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from harness.cli.screen.tables import percent_of
    from harness.record.listing import list_runs
    from harness.record.provenance import outdated

    runs = list_runs(out)
    if not runs:
        say(f"no runs below {out}; make one with harness run")
        return
    title = Text(f"runs below {out}", style="bold")
    picture = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("run", "state", "stages", "last", "pool", "test"):
        picture.add_column(column, overflow="fold" if column == "run" else "ellipsis")
    for run in runs:
        last = run.result.stages[-1] if run.result else None
        picture.add_row(
            Text(f"{run.path.parent.name}/{run.path.name}"),
            run.state + (", other code" if run.result and outdated(run.result, plugins) else ""),
            str(run.stages),
            last.stage if last else "–",
            percent_of(last.transductive if last else None),
            percent_of(last.inductive if last else None),
        )
    console().print(picture)
    for run in runs:
        if run.problem:
            warn(run.problem)


def print_plugins(plugins: Plugins) -> None:
    """Every plugin, its origin and its hooks; then what is wrong with any."""
    for info in plugins.infos():
        say(f"{info.name}  ({info.origin})")
        for hook in info.hooks:
            say(f"  {hook}")
    plugins.all_parts()
    for problem in plugins.problems:
        say(f"PROBLEM {problem}")


def _find(kind: str, name: str, plugins: Plugins) -> list[Part]:
    """The part of that name; of selectors, each role that has the name."""
    if kind != "selector" or "/" in name:
        return [plugins.part(kind, name)]
    parts = plugins.parts(kind)
    found = [part for full, part in parts.items() if full.partition("/")[2] == name]
    if not found:
        raise UnknownNameError(kind, name, [full.partition("/")[2] for full in parts])
    return found
