"""``harness plugins``: which there are and what is wrong with any; ``check``; ``new``."""

from __future__ import annotations

import shlex
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.grouped import WholeSummaries
from harness.cli.options import load_plugins, plugin_choice
from harness.cli.screen.output import hanging, say
from harness.errors import CommandError
from harness.files.printable import one_line

plugins = typer.Typer(
    cls=WholeSummaries,
    help="List plugins with what is wrong with any; check one; write a new one.",
    rich_markup_mode=None,
)


@plugins.callback(invoke_without_command=True)
def list_plugins(context: typer.Context) -> None:
    """List plugins with their hooks, and what is wrong with any; check one; write a new one."""
    if context.invoked_subcommand is not None:
        return
    found = load_plugins()
    for info in found.infos():
        say(f"{info.name}  ({info.origin})")
        for hook in info.hooks:
            say(f"  {hook}")
    found.all_parts()
    for problem in found.problems:
        say(f"{'NOTE' if problem.harmless else 'PROBLEM'} {one_line(str(problem))}")


@plugins.command()
def check(
    name: Annotated[
        str, typer.Argument(help="A plugin that harness plugins lists, a module or file.py.")
    ],
    spec: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="How a run names a part that needs an argument."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also what is as it should be.")
    ] = False,
) -> None:
    """Check each part of a plugin against the contract of its kind, in a process of its own.

    Exit code 1 where one is broken: each fault in one line with its contract, file and line.
    """
    from harness.testing.contracts.plugin_check import check_plugin
    from harness.testing.contracts.suite import alike, together

    counts: Counter[str] = Counter()
    findings = check_plugin(name, plugin_choice(), spec or ())
    for _, of_part in groupby(findings, lambda one: one.subject):
        for same in alike(of_part):
            start = "ok   " if not same[0].message else "BAD  " if same[0].checked else "?    "
            counts[start] += len(same)
            counts["faults"] += start == "BAD  "
            if start == "BAD  " or verbose:
                hanging(start, one_line(together(same)))
    broken, faults = counts["BAD  "], counts["faults"]
    of = f" by {faults} fault{'s' * (faults > 1)}" if broken > faults else ""
    say(
        f"{counts['ok   ']} contracts kept, {broken} broken{of}, {counts['?    ']} not checked "
        "(-v lists them)"
    )
    if broken:
        raise typer.Exit(1)


@plugins.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the package, such as my-parts.")],
    annotator: Annotated[bool, typer.Option("--annotator", help="Labels a pool.")] = False,
    service: Annotated[bool, typer.Option("--service", help="Asks a language model.")] = False,
    student: Annotated[bool, typer.Option("--student", help="Learns from labels.")] = False,
    selector: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE", help="trust, demonstrations or query; may be repeated."),
    ] = None,
    augmenter: Annotated[bool, typer.Option("--augmenter", help="Makes variants.")] = False,
    task: Annotated[bool, typer.Option("--task", help="A task with its data.")] = False,
    recipe: Annotated[bool, typer.Option("--recipe", help="A grid of runs.")] = False,
    observer: Annotated[bool, typer.Option("--observer", help="Watches runs.")] = False,
    table_format: Annotated[
        bool, typer.Option("--table-format", help="Prints harness table.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where to put it.")
    ] = Path(),
) -> None:
    """Write an installable package with the parts asked for (an annotator if none is), and tests.

    Its tests, ruff and mypy --strict pass as it is written: change it from there.
    """
    from harness.scaffold.writing import write_package

    flags = {
        "annotator": annotator, "service": service, "student": student, "augmenter": augmenter,
        "task": task, "recipe": recipe, "observer": observer, "table_format": table_format,
    }  # fmt: skip
    parts = [part for part, wanted in flags.items() if wanted]
    parts += [f"selector_{role}" for role in selector or ()]
    target = folder / name
    if target.exists():
        raise CommandError(f"{target}: is there already; choose another name or --output")
    for file in write_package(name, parts or ["annotator"], target):
        say(str(file))
    place = shlex.quote(f"{target if target.is_absolute() else f'./{target}'}[dev]")
    say(f"next: pip install -e {place}, then harness plugins check {name}, and pytest in {target}")
