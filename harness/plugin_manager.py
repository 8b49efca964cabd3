"""The one class that touches pluggy: finds plugins, asks them for parts, tells observers."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from harness import hookspecs
from harness.errors import CommandError, HarnessError, UnknownNameError, nearest

if TYPE_CHECKING:
    import typer
    from pydantic import BaseModel

__all__ = ["BUILTINS", "Installed", "Part", "PluginInfo", "Plugins", "Problem", "installed"]

BUILTINS = (
    "harness_tasks.plugin",
    "harness_plugins.annotators.plugin",
    "harness_plugins.annotators.models",
    "harness_plugins.annotators.own_models",
    "harness_plugins.students.plugin",
    "harness_plugins.selectors.plugin",
    "harness_plugins.augmenters.plugin",
    "harness_plugins.checks",
)
"""Modules of the built-in plugins; they go through the same hooks as any other."""

ENTRY_POINTS = "harness"
KINDS = ("task", "annotator", "student", "selector", "augmenter", "table_format", "check")
BOTH: tuple[str, ...] = ("sequence", "token")


@dataclass(frozen=True, slots=True)
class Part:
    """One registered part: its name, its factory, and where it comes from."""

    kind: str
    name: str
    factory: Any
    summary: str
    serves: tuple[str, ...]
    plugin: str
    config: type[BaseModel] | None = None


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin: its name, where it comes from, and the hooks it implements."""

    name: str
    origin: str
    hooks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a plugin, told to the user; the program goes on without it."""

    plugin: str
    message: str

    def __str__(self) -> str:
        return f"plugin {self.plugin}: {self.message}"


class Plugins:
    """All plugins of this process.

    Args:
        extra: modules or files named by ``--plugin``.
        warn: told of each problem once, as it is found.
        third_party: False leaves out the entry points of installed distributions.

    Raises:
        CommandError: if an ``extra`` plugin cannot be found or imported. (What the
            user names on the command line must work; what is merely installed is
            only warned about.)
    """

    def __init__(
        self,
        extra: Sequence[str] = (),
        *,
        warn: Callable[[Problem], None] | None = None,
        third_party: bool = True,
    ) -> None:
        self._pm = pluggy.PluginManager("harness")
        self._pm.add_hookspecs(hookspecs)
        self._warn = warn
        self._origins: dict[str, str] = {}
        self._parts: dict[str, dict[str, Part]] = {}
        self.problems: list[Problem] = []
        for module in BUILTINS:
            self._add(importlib.import_module(module), module, "built in")
        if third_party:
            self._add_entry_points()
        for name in extra:
            self.add(name)

    # -- finding plugins ---------------------------------------------------------------

    def add(self, name: str) -> None:
        """Add a plugin by module name or file; one that is there already is not added twice."""
        try:
            plugin = _import(name)
        except HarnessError:
            raise
        except (Exception, SystemExit) as error:
            raise CommandError(f"--plugin {name}: cannot be imported: {_say(error)}") from error
        if name in self._origins or self._pm.is_registered(plugin):
            return
        warn, self._warn = self._warn, None  # what is wrong becomes the error, said once
        before = len(self.problems)
        self._add(plugin, name, "--plugin")
        self._warn = warn
        if len(self.problems) > before:
            raise CommandError(str(self.problems[-1]))

    def _add_entry_points(self) -> None:
        for found in installed():
            if found.problem is not None:
                self._problem(found.name, found.problem)
                continue
            try:
                plugin = found.entry.load()
            except (Exception, SystemExit) as error:
                self._problem(found.name, f"cannot be imported: {_say(error)}")
            else:
                self._add(plugin, found.name, found.origin)

    def _add(self, plugin: object, name: str, origin: str) -> None:
        try:
            self._pm.register(plugin, name)
        except Exception as error:
            self._problem(name, _say(error))
            return
        self._origins[name] = origin
        for caller in self._pm.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                hint = nearest(caller.name, hookspecs.HOOKS)
                self._problem(name, f"there is no hook {caller.name!r}; {hint}")

    def _problem(self, plugin: str, message: str) -> None:
        problem = Problem(plugin, message)
        self.problems.append(problem)
        if self._warn is not None:
            self._warn(problem)

    def infos(self) -> list[PluginInfo]:
        """Every plugin that was registered, built-ins first."""
        infos = []
        for name, plugin in self._pm.list_name_plugin():
            if plugin is None:
                continue
            callers = self._pm.get_hookcallers(plugin) or ()
            hooks = tuple(sorted(caller.name for caller in callers))
            infos.append(PluginInfo(name, self._origins[name], hooks))
        return infos

    def fingerprint(self, part: Part) -> str | None:
        """A hash of the source file of a part's plugin; None for built-ins.

        A changed plugin must not find the finished runs of its earlier self.
        """
        plugin = self._pm.get_plugin(part.plugin)
        file = getattr(plugin, "__file__", None)
        if self._origins.get(part.plugin) == "built in" or plugin is None:
            return None
        source = Path(file).read_bytes() if file and Path(file).is_file() else repr(plugin).encode()
        return hashlib.sha256(self._origins[part.plugin].encode() + source).hexdigest()

    # -- parts -------------------------------------------------------------------------

    def parts(self, kind: str) -> Mapping[str, Part]:
        """All registered parts of a kind, by name."""
        if kind not in self._parts:
            self._parts[kind] = {}
            for name, call in self._callers(f"harness_register_{kind}s"):
                self._guard(name, call, register=self._register(kind, name))
        return self._parts[kind]

    def part(self, kind: str, name: str) -> Part:
        """The part of a kind with a name.

        Raises:
            UnknownNameError: naming the nearest ones.
        """
        parts = self.parts(kind)
        if name not in parts:
            raise UnknownNameError(kind, name, parts)
        return parts[name]

    def keys(self) -> list[str]:
        """The configuration keys that annotators and students take, dotted."""
        parts = [part for kind in ("annotator", "student") for part in self.parts(kind).values()]
        models = {(part.kind, part.config) for part in parts if part.config is not None}
        return sorted(f"{kind}.{key}" for kind, model in models for key in model.model_fields)

    def _register(self, kind: str, plugin: str) -> hookspecs.Register:
        parts = self._parts[kind]

        def register(
            name: str,
            factory: Any,
            *,
            summary: str = "",
            kinds: Sequence[str] = BOTH,
            config: type[BaseModel] | None = None,
        ) -> None:
            if name in parts:
                self._problem(
                    plugin, f"{kind} {name!r} is already registered by {parts[name].plugin}"
                )
                return
            parts[name] = Part(kind, name, factory, summary, tuple(kinds), plugin, config)

        return register

    # -- commands and observers --------------------------------------------------------

    def register_commands(self, app: typer.Typer) -> None:
        """Let plugins add their commands; a name that is taken is refused."""
        import typer

        for name, call in self._callers("harness_register_commands"):
            own = typer.Typer()
            self._guard(name, call, app=own)
            taken = {command_name(info) for info in app.registered_commands}
            taken |= {group_name(info) for info in app.registered_groups}
            for command in own.registered_commands:
                if command_name(command) in taken:
                    self._problem(name, f"command {command_name(command)!r} is already there")
                else:
                    app.registered_commands.append(command)
            for group in own.registered_groups:
                if group_name(group) in taken:
                    self._problem(name, f"command {group_name(group)!r} is already there")
                else:
                    app.registered_groups.append(group)

    def notify(self, hook: str, **arguments: object) -> None:
        """Tell every plugin of an event; one that fails is warned about."""
        for name, call in self._callers(hook):
            self._guard(name, call, **arguments)

    def _callers(self, hook: str) -> Iterator[tuple[str, pluggy.HookCaller]]:
        """Each plugin that implements a hook with a caller that calls it alone.

        In the order of registration, so that a built-in's name is taken first.
        """
        everything = [plugin for _, plugin in self._pm.list_name_plugin() if plugin is not None]
        implementing = {id(impl.plugin) for impl in getattr(self._pm.hook, hook).get_hookimpls()}
        for plugin in everything:
            if id(plugin) in implementing:
                others = [other for other in everything if other is not plugin]
                name = self._pm.get_name(plugin) or repr(plugin)
                yield name, self._pm.subset_hook_caller(hook, others)

    def _guard(self, plugin: str, call: pluggy.HookCaller, **arguments: object) -> None:
        try:
            call(**arguments)
        except Exception as error:
            self._problem(plugin, f"{call.name} failed: {_say(error)}")


@dataclass(frozen=True, slots=True)
class Installed:
    """An entry point of an installed distribution, or what is wrong with it."""

    name: str
    origin: str
    entry: Any = None
    problem: str | None = None


def installed() -> Iterator[Installed]:
    """The entry points of group ``harness``, one a distribution and name.

    A distribution that is found twice on the path counts once, as it does for imports.
    """
    from importlib.metadata import distributions

    seen: set[str] = set()
    for distribution in distributions():
        metadata = distribution.metadata
        name = (metadata["Name"] if metadata is not None else None) or "a nameless distribution"
        key = name.lower().replace("_", "-")
        if key in seen:
            continue
        seen.add(key)
        try:
            entries = [one for one in distribution.entry_points if one.group == ENTRY_POINTS]
        except Exception as error:
            if ENTRY_POINTS in (distribution.read_text("entry_points.txt") or ""):
                yield Installed(name, name, problem=f"entry_points.txt is wrong: {_say(error)}")
            continue
        for entry in entries:
            origin = f"{name} {distribution.version}"
            yield Installed(f"{entry.name} ({origin})", origin, entry)


def command_name(info: Any) -> str:
    """The name under which a command is called."""
    return str(info.name or info.callback.__name__.lower().replace("_", "-"))


def group_name(info: Any) -> str:
    """The name of a group of commands: given where it is added, or its own."""
    given = info.name if isinstance(info.name, str) else None
    own = info.typer_instance.info.name if info.typer_instance is not None else None
    return given or (own if isinstance(own, str) else "")


def _import(name: str) -> object:
    path = Path(name)
    if path.suffix != ".py":
        # A module in the working folder is what `--plugin mymodule` most often means.
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        return importlib.import_module(name)
    if not path.is_file():
        raise CommandError(f"--plugin {name}: no such file")
    # A name of its own, so that plugin json.py does not become the module json.
    spec = importlib.util.spec_from_file_location(f"harness_plugin_file_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
