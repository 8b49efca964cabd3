"""The options that describe a run, shared by every command that makes or plans runs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from harness.config import Config
    from harness.plugin_manager import Plugins
    from harness.protocols import Parts
    from harness.run.splits import Splits

Text = str | None
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where runs are kept (results/runs).")
]


def _options(
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
    budget_usd: Annotated[
        float | None, typer.Option(metavar="X", help="Most $ to pay; exit code 3 if it is reached.")
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
) -> None:
    """Never called: its signature is what typer reads."""


_KEYS = {
    "annotator": "annotator.spec",
    "student": "student.spec",
    "task": "task",
    "selector": "selector.spec",
    "rounds": "rounds",
    "seed": "seed",
    "setting": "setting",
    "limit": "limit",
    "budget_usd": "budget_usd",
}
"""Options that are keys of the configuration."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options as given.

    Attributes:
        values: keys of the configuration, dotted; None where not given.
        data, out, config, settings: of ``--data``, ``--out``, ``--config`` and ``--set``.
    """

    values: Mapping[str, Any]
    data: Path | None
    out: Path
    config: Path | None
    settings: tuple[str, ...]

    def prepare(self) -> tuple[Config, Plugins, Parts, Splits]:
        """The resolved configuration, the plugins, the parts and the data of the run.

        Raises:
            HarnessError: for whatever is wrong with any of them.
        """
        from harness.cli.session import data_folder, load_plugins
        from harness.config import load_config
        from harness.run.assembly import assemble
        from harness.run.splits import splits_of

        plugins = load_plugins()
        config = load_config(self.config, self.settings, self.values, plugins.keys())
        config, parts = assemble(config, plugins, data_folder(self.data))
        return config, plugins, parts, splits_of(config, parts.task)


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command whose first parameter is a ``RunOptions`` all options of a run."""

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        from harness.cli.session import RUNS

        shared = {name: given.pop(name) for name in inspect.signature(_options).parameters}
        options = RunOptions(
            values={key: shared[name] for name, key in _KEYS.items()},
            data=shared["data"],
            out=shared["out"] or RUNS,
            config=shared["config"],
            settings=tuple(shared["set_"] or ()),
        )
        command(options, **given)

    own = list(inspect.signature(command).parameters.values())[1:]
    all_ = [*inspect.signature(_options).parameters.values(), *own]
    hints = get_type_hints(_options, include_extras=True) | {
        name: hint
        for name, hint in get_type_hints(command, include_extras=True).items()
        if name in {parameter.name for parameter in own}
    }
    wrapper.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in all_
        ]
    )
    wrapper.__annotations__ = hints
    del wrapper.__wrapped__
    return wrapper
