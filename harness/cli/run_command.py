"""``harness run``: one run, or what is left of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from harness.config import Config
    from harness.plugin_manager import Plugins
    from harness.progress import Watcher
    from harness.results import RunResult

__all__ = ["add_to"]

Text = str | None


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    annotator: Annotated[Text, typer.Option(metavar="SPEC", help="Who labels the pool.")] = None,
    student: Annotated[Text, typer.Option(metavar="SPEC", help="Who learns from it.")] = None,
    task: Annotated[Text, typer.Option(metavar="SPEC", help="A task, or a TOML file.")] = None,
    selector: Annotated[Text, typer.Option(metavar="SPEC", help="What is fed back.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of annotate, train, select.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn.")] = None,
    setting: Annotated[
        Text, typer.Option(metavar="NAME", help="inductive (pool and test set) or transductive.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of data: DIR/<task>/train.jsonl.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="At most N examples of each split.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs are kept (results/runs).")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file of the same keys.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="One key, e.g. student.epochs=3."),
    ] = None,
    plugin: Annotated[
        list[str] | None, typer.Option(metavar="X", help="A plugin: module or file.py.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, forgetting what is recorded.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON and nothing else.")
    ] = False,
) -> None:
    """Annotate, train, select, and again: the whole loop on one task.

    Without options: annotator embedding, student minilm, task demo. The same command
    resumes a run that was stopped, and finds one that is finished.
    """
    from harness.cli.session import RUNS, data_folder, load_plugins
    from harness.config import load_config

    options: dict[str, Any] = {
        "annotator.spec": annotator,
        "student.spec": student,
        "task": task,
        "selector.spec": selector,
        "rounds": rounds,
        "seed": seed,
        "setting": setting,
        "limit": limit,
    }
    plugins = load_plugins(plugin or ())
    loaded = load_config(config, set_ or (), options)
    folder = data_folder(data)
    result, path = _do(loaded, plugins, folder, out or RUNS, fresh=fresh, quiet=json)
    _show(result, path, as_json=json)


def _do(
    config: Config, plugins: Plugins, data: Path | None, out: Path, *, fresh: bool, quiet: bool
) -> tuple[RunResult, Path]:
    from harness.assembly import assemble, run_id
    from harness.loop import run as run_loop
    from harness.run_folder import RunFolder
    from harness.splits import load_splits

    config, parts = assemble(config, plugins, data)
    splits = load_splits(
        parts.task,
        inductive=config.setting == "inductive",
        limit=config.limit,
        seed=config.seed,
        validation=config.validation,
    )
    name = run_id(config, parts)
    path = out / parts.task.card.name / name
    with RunFolder.held(path, fresh=fresh) as folder, _watching(name, quiet=quiet) as watcher:
        result = run_loop(
            parts, config, splits, folder, run_id=name, plugins=plugins, watcher=watcher
        )
    return result, path


def _watching(name: str, *, quiet: bool) -> Any:
    """A picture of the progress on a terminal; elsewhere nothing."""
    from contextlib import nullcontext

    from harness.cli.session import console

    screen = console(stderr=True)
    if quiet or not screen.is_terminal:
        from harness.cli.session import NotesOnly

        watcher: Watcher = NotesOnly()
        return nullcontext(watcher)
    from harness.cli.live import LiveWatcher

    return LiveWatcher(name, screen)


def _show(result: RunResult, path: Path, *, as_json: bool) -> None:
    from harness.cli.session import console, say

    if as_json:
        say(result.to_json())
        return
    from rich.text import Text

    from harness.cli.pictures import stages_table

    screen = console()
    screen.print(stages_table(result))
    screen.print(Text(str(path), style="dim"), soft_wrap=True)
