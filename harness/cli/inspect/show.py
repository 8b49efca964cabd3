"""``harness show``: one part, task or run, the configuration, or a prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from harness.cli.options import DataOption, OutOption, data_folder, load_plugins
from harness.cli.screen.output import console, hanging, note, say
from harness.errors import CommandError, DataError, UnknownNameError

if TYPE_CHECKING:
    from harness.config import Config
    from harness.data import Demonstrations, Pool
    from harness.plugin_manager import Part
    from harness.protocols import Task

Shown = Literal[
    "annotator",
    "service",
    "student",
    "selector",
    "augmenter",
    "task",
    "recipe",
    "run",
    "config",
    "prompt",
]
KINDS = f"What to show: {', '.join(get_args(Shown))}."
PAGE = 88
"""Columns of a page of text, also on wider screens."""


def show(
    kind: Annotated[Shown, typer.Argument(show_choices=False, help=KINDS)],
    name: Annotated[str, typer.Argument(help="Its name; for a run, its id or folder.")] = "",
    data: DataOption = None,
    out: OutOption = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file (config, prompt).")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="One key (config, prompt).")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="SPEC", help="Whose prompt to show.")] = None,
    annotator: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Whose request to show (prompt).")
    ] = None,
    example: Annotated[int, typer.Option(metavar="N", min=1, help="Which example (prompt).")] = 1,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object (prompt).")] = False,
) -> None:
    """Show one part, task or run, the configuration with its defaults, or a prompt."""
    if kind in ("config", "prompt"):
        from harness.config import load_config, to_toml
        from harness.run.assembly import checked, load_task

        options = {"task": task or name or None, "annotator.spec": annotator}
        wanted = load_config(config, set_ or (), options, load_plugins().keys())
        if kind == "config":
            load_task(wanted.task, load_plugins(), None, declaration_only=True)  # is there one?
            say(to_toml(checked(wanted, load_plugins())).rstrip())
        else:
            show_prompt(wanted, data_folder(data), example, as_json=json)
    elif not name:
        raise CommandError(f"harness show {kind} needs a name")
    elif kind == "run":
        _show_run(name, out)
    elif kind == "task":
        _show_task(name, data_folder(data))
    elif kind == "recipe":
        _show_recipe(name)
    else:
        from harness.cli.screen.part_page import part_page

        for part in _parts(kind, name):
            part_page(part)


def _parts(kind: str, name: str) -> list[Part]:
    """The part of that name; of selectors, each role that has the name."""
    plugins = load_plugins()
    if kind != "selector" or "/" in name:
        return [plugins.part(kind, name)]
    parts = plugins.parts(kind)
    found = [part for full, part in parts.items() if full.partition("/")[2] == name]
    if not found:
        raise UnknownNameError(kind, name, [full.partition("/")[2] for full in parts])
    return found


def _show_task(name: str, data: Path | None) -> None:
    """All that a task declares, and its data where it is at hand."""
    from rich.text import Text

    from harness import abilities
    from harness.cli.screen.task_page import task_page
    from harness.run.assembly import load_task

    plugins, missing = load_plugins(), ""
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
    for line in abilities.notes(task):
        note(line)


def _show_recipe(name: str) -> None:
    """What the rows of a recipe have in common, and what each of them sets."""
    from harness.sweep.recipes import find_recipe

    title, recipe = find_recipe(name, load_plugins())
    say(f"recipe {title}")
    hanging("  ", recipe.summary)
    if recipe.source:
        hanging("  source: ", recipe.source)
    say(f"  metrics: {', '.join(recipe.metrics)}")
    hanging("  all rows: ", _settings(recipe.settings))
    for row in recipe.expanded():
        mark = " (baseline)" if row.label == recipe.baseline else ""
        hanging(f"  {row.label}{mark}: ", _settings(row.settings))


def _settings(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items()) or "-"


def _show_run(name: str, out: Path | None) -> None:
    """A run's stages if it is finished, and its configuration."""
    from harness.cli.screen.tables import stages_table
    from harness.record import layout
    from harness.record.folder import RunFolder
    from harness.record.listing import find_run
    from harness.results import load_result

    folder = RunFolder(find_run(name, out or layout.RUNS))
    config = folder.read(layout.CONFIG, lambda path: path.read_text(encoding="utf-8"))
    result = folder.read(layout.RESULT, load_result) if folder.has(layout.RESULT) else None
    if result is None:
        say("not finished: the same command goes on from what is recorded\n")
    else:
        console().print(stages_table(result))
    say(f"{folder.path}\n{config.rstrip()}")


def show_prompt(config: Config, data: Path | None, number: int, *, as_json: bool) -> None:
    """Every message of one example, with its role, and how the request is made. Sends nothing.

    ``number``, from 1, counts the examples of the training pool as the seed draws them.
    """
    from harness import abilities
    from harness.cli.screen.prompt_page import prompt_page
    from harness.run.assembly import annotator_of

    plugins = load_plugins()
    task, pool, shown, source = _example(config, data, number)
    config, annotator = annotator_of(config, task, plugins)
    messages_of = abilities.messages(annotator)
    if messages_of is None:
        raise CommandError(
            f"annotator {config.annotator.spec!r} sends no messages; pass --annotator, "
            f"for instance {plugins.default('annotator')}"
        )
    described = abilities.describe(annotator)
    messages = messages_of(pool, shown)[0]
    if as_json:
        chat = [{"role": role, "content": content} for role, content in messages]
        say(json.dumps({"messages": chat, "request": dict(described)}, ensure_ascii=False))
        return
    here = "none" if shown is None else "the nearest of the task's generated ones"
    writes = abilities.writer(annotator) is not None
    own = "those that the annotator writes, then " if writes else ""
    head = {
        "task": task.card.name,
        "annotator": config.annotator.spec,
        "example": source,
        "demonstrations": f"{here} (a run: {own}those that the selector trusts)",
    }
    for line in prompt_page({**head, **described}, messages):
        say(line)


def _example(
    config: Config, data: Path | None, number: int
) -> tuple[Task, Pool, Demonstrations | None, str]:
    """The task, one example, demonstrations for it, and where the example comes from.

    Without data it is one of the task's generated demonstrations, shown with the others.
    """
    import numpy as np

    from harness.data import Demonstrations
    from harness.run.assembly import load_task
    from harness.run.splits import load_splits

    plugins = load_plugins()
    try:
        task = load_task(config.task, plugins, data)
        pool = load_splits(task, inductive=False, limit=None, seed=config.seed).train.pool
        source, others = f"of the pool, as seed {config.seed} draws them", task.card.generated
    except DataError:
        task = load_task(config.task, plugins, data, declaration_only=True)
        if (made := task.card.generated) is None:
            raise
        pool, source = made.examples, "generated ones (the task's data is not at hand)"
        kept = np.flatnonzero(np.arange(len(pool)) != number - 1)
        # Generated demonstrations of a sequence task: one label each.
        others = Demonstrations(pool.take(kept), made.labels[kept], made.nearest, made.source)
    if number > len(pool):
        raise CommandError(f"--example {number}: there are {len(pool)} examples")
    shown = others if config.demonstrations.generated else None
    return task, pool.take(np.asarray([number - 1])), shown, f"{number} of {len(pool)} {source}"
