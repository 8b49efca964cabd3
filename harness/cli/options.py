"""The options that several commands share: plugins, data, runs, and all that describes a run."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from harness.cli.screen.output import warn
from harness.errors import CommandError, ConfigError
from harness.files.user_config import plugins_of, user_config_file
from harness.plugin_manager import Plugins
from harness.plugin_manager.discovery import third_party
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.config import Config
    from harness.protocols import Parts
    from harness.run.splits import Splits

Text = str | None
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where runs are kept (results/runs).")
]
DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of data.")]
SpreadsheetOption = Annotated[
    bool,
    typer.Option(
        "--spreadsheet", help="csv: an apostrophe before texts that a spreadsheet would compute."
    ),
]

PLUGIN_OPTIONS = ("--plugin", "--no-plugin")
_named: list[tuple[str, str]] = []
_configured: dict[str, Path] = {}


def take_plugins(arguments: Sequence[str]) -> list[str]:
    """Read ``--plugin X`` and ``--no-plugin X``, wherever they stand; the other arguments.

    Before the command line is parsed, since a plugin may add the command that it calls. Before
    them come the plugins of the user's configuration file, and of a file of ``--config``.
    """
    load_plugins.cache_clear()
    given, others = list(arguments), list[str]()
    _configured.clear()
    _configured.update({name: file for file in _files(given) for name in plugins_of(file)})
    _named[:] = [(PLUGIN_OPTIONS[0], name) for name in _configured]
    while given:
        option, equals, value = given.pop(0).partition("=")
        if option == "--":
            return [*others, option, *given]
        if option not in PLUGIN_OPTIONS:
            others.append(option + equals + value)
        elif equals or given:
            _named.append((option, value if equals else given.pop(0)))
        else:
            raise CommandError(f"{option} requires an argument: the module or file of a plugin")
    return others


def named_plugins() -> bool:
    """Whether the command line or a configuration file adds plugins, or leaves some out."""
    return bool(_named)


def _files(arguments: Sequence[str]) -> list[Path]:
    """The configuration files of a command line."""
    files = [user_config_file()]
    for option, value in pairwise([*arguments, ""]):
        name, equals, after = option.partition("=")
        if name == "--config" and (after or value):
            files.append(Path(after if equals else value))
    return files


def plugin_choice() -> dict[str, Any]:
    """What the command line and the environment say of plugins, as arguments of ``Plugins``."""
    extra, without = ([name for option, name in _named if option == one] for one in PLUGIN_OPTIONS)
    return {"extra": extra, "without": without, "third_party": third_party()}


@functools.cache
def load_plugins() -> Plugins:
    """The plugins of this call; a warning on stderr names what is wrong with one, once."""
    try:
        return Plugins(**plugin_choice(), warn=lambda one: warn(str(one)))
    except CommandError as error:
        for name, file in _configured.items():
            said = str(error).removeprefix(f"{PLUGIN_OPTIONS[0]} {name}: ")
            if said != str(error):
                raise ConfigError(f"{file}: plugins: {name}: {said}") from error
        raise


def data_folder(option: Path | None) -> Path | None:
    """The folder of ``--data``, else of ``HARNESS_DATA``; a ``CommandError`` if it is none."""
    named = os.environ.get("HARNESS_DATA")
    folder = option or (Path(named) if named else None)
    if folder is not None and not folder.is_dir():
        source = "--data" if option else "HARNESS_DATA"
        raise CommandError(f"{source} {folder}: no such folder")
    return folder


def _options(
    annotator: Annotated[Text, typer.Option(metavar="SPEC", help="Who labels the pool.")] = None,
    student: Annotated[Text, typer.Option(metavar="SPEC", help="Who learns from it.")] = None,
    task: Annotated[Text, typer.Option(metavar="SPEC", help="A task, or a TOML file.")] = None,
    selector: Annotated[
        Text,
        typer.Option(
            metavar="SPEC",
            help="Which labels to trust, which examples to show and what to annotate next (preset; "
            "single roles: --set selector.trust=SPEC).",
        ),
    ] = None,
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
    out: OutOption = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file of the same keys.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="One key, e.g. student.epochs=3."),
    ] = None,
) -> None:
    """Never called: its signature is what typer reads."""


SPECS = ("annotator", "student", "selector")
KEYS = ("task", "rounds", "seed", "setting", "limit", "budget_usd")
"""Options that are keys of the configuration of the same name; ``SPECS`` are ``NAME.spec``."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options as given; ``values`` are those for keys of the configuration, dotted."""

    values: Mapping[str, Any]
    data: Path | None
    out: Path
    config: Path | None
    settings: tuple[str, ...]

    def arguments(self) -> dict[str, Any]:
        """The same as arguments of the functions of ``harness.api``."""
        named = {key.removesuffix(".spec"): value for key, value in self.values.items()}
        return named | {
            "config": self.config,
            "settings": self.settings,
            "data": data_folder(self.data),
            "out": self.out,
            "plugins": load_plugins(),
        }

    def configuration(self) -> tuple[Config, Plugins, Path | None]:
        """The configuration as given, the plugins, and the folder of data."""
        from harness.config import load_config

        plugins = load_plugins()
        config = load_config(self.config, self.settings, self.values, plugins.keys())
        return config, plugins, data_folder(self.data)

    def obstacles(self, first: CommandError) -> str:
        """Everything that keeps the run from beginning, in one line, ``first`` what was met."""
        from harness.config import load_config
        from harness.run.assembly import obstacles

        plugins = load_plugins()
        config = load_config(self.config, self.settings, self.values, plugins.keys())
        return obstacles(config, plugins, self.data, first)

    def prepare(self) -> tuple[Config, Plugins, Parts, Splits]:
        """The resolved configuration, the plugins, the parts and the data of the run."""
        from harness.run.assembly import assemble
        from harness.run.splits import splits_of

        given, plugins, data = self.configuration()
        config, parts = assemble(given, plugins, data)
        return config, plugins, parts, splits_of(config, parts.task)


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command whose first parameter is a ``RunOptions`` all options of a run."""
    shared = inspect.signature(_options).parameters
    own = list(inspect.signature(command).parameters.values())[1:]

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        value = {name: given.pop(name) for name in shared}
        keys = {f"{name}.spec": value[name] for name in SPECS} | {one: value[one] for one in KEYS}
        settings = tuple(value["set_"] or ())
        out = value["out"] or RUNS
        command(RunOptions(keys, value["data"], out, value["config"], settings), **given)

    hints = get_type_hints(_options, include_extras=True)
    hints |= get_type_hints(command, include_extras=True)
    parameters = [
        one.replace(annotation=hints[one.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for one in (*shared.values(), *own)
    ]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {one.name: hints[one.name] for one in parameters}
    del wrapper.__wrapped__
    return wrapper
