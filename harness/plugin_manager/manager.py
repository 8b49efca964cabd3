"""The one class that touches pluggy: asks plugins for parts and tells observers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from harness import hookspecs
from harness.errors import CommandError, HarnessError, UnknownNameError, nearest
from harness.plugin_manager import source
from harness.plugin_manager.discovery import (
    BUILT_IN,
    built_in,
    import_named,
    installed,
    left_out,
    say,
)
from harness.plugin_manager.registration import ASKING, BOTH, KINDS, Part, wrong_with
from harness.specs import Spec, parse_spec

if TYPE_CHECKING:
    import typer
    from pydantic import BaseModel

ORDER = ("tryfirst", "trylast", "hookwrapper", "wrapper")
"""Marks of pluggy's that change nothing here: each plugin is called by itself, in a fixed order."""


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
        without: names of plugins that ``--no-plugin`` leaves out.
        warn: told of each problem once, as it is found.
        third_party: False leaves out the entry points of installed distributions.

    Raises:
        CommandError: if an ``extra`` plugin cannot be found or imported, or one to leave out is
            not there. (What the user names on the command line must work; what is merely
            installed is only warned about.)
    """

    def __init__(
        self,
        extra: Sequence[str] = (),
        *,
        without: Sequence[str] = (),
        warn: Callable[[Problem], None] | None = None,
        third_party: bool = True,
    ) -> None:
        self._pm = pluggy.PluginManager("harness")
        self._pm.add_hookspecs(hookspecs)
        self._warn = warn
        self._origins: dict[str, str] = {}
        self._parts: dict[str, dict[str, Part]] = {}
        self._digests: dict[str, str] = {}
        self.problems: list[Problem] = []
        found = [*built_in(), *(installed() if third_party else ())]
        refused = left_out(found, extra, without)
        for one in found:
            if one.name in refused:
                continue
            if one.problem is not None:
                self._problem(one.name, one.problem)
                continue
            try:
                plugin = one.load()
            except (Exception, SystemExit) as error:
                self._problem(one.name, f"cannot be imported: {say(error)}")
            else:
                self._add(plugin, one.name, one.origin)
        for name in extra:
            if name not in refused:
                self.add(name)

    # -- finding plugins ---------------------------------------------------------------

    def add(self, name: str) -> None:
        """Add a plugin by module name or file; one that is there already is not added twice."""
        try:
            plugin = import_named(name)
        except HarnessError:
            raise
        except (Exception, SystemExit) as error:
            raise CommandError(f"--plugin {name}: cannot be imported: {say(error)}") from error
        if name in self._origins or self._pm.is_registered(plugin):
            return
        warn, self._warn = self._warn, None  # what is wrong becomes the error, said once
        before = len(self.problems)
        self._add(plugin, name, "--plugin")
        self._warn = warn
        if len(self.problems) > before:
            raise CommandError(str(self.problems[-1]))

    def _add(self, plugin: object, name: str, origin: str) -> None:
        try:
            self._pm.register(plugin, name)
        except Exception as error:
            self._problem(name, say(error))
            return
        self._origins[name] = origin
        for caller in self._pm.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                hint = nearest(caller.name, hookspecs.HOOKS)
                self._problem(name, f"there is no hook {caller.name!r}; {hint}")
            for mark in ORDER:
                if any(getattr(i, mark) for i in caller.get_hookimpls() if i.plugin is plugin):
                    self._problem(
                        name,
                        f"{caller.name}: {mark} has no effect, since plugins are called one by one "
                        "in the order of their registration; leave it out",
                    )

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

    def fingerprint(self, part: Part) -> str:
        """A hash of the source of the package that a part comes from.

        Of a third party's: every file of it. Of a built-in part: the files of its room, and what
        they import of the other rooms. An annotator's hash covers the service of its name.
        """
        service = self.parts("service").get(part.name) if part.kind == "annotator" else None
        return self._digest(part.plugin) + (self._digest(service.plugin) if service else "")

    def _digest(self, name: str) -> str:
        if name not in self._digests:
            files = source.room_files if self._origins[name] == BUILT_IN else source.package_files
            self._digests[name] = source.digest(files(self._pm.get_plugin(name)))
        return self._digests[name]

    # -- parts -------------------------------------------------------------------------

    def parts(self, kind: str) -> Mapping[str, Part]:
        """All registered parts of a kind, by name."""
        if kind not in self._parts:
            self._parts[kind] = {}
            services = self._services() if kind in ASKING else {}
            for name, call in self._callers(f"harness_register_{kind}s"):
                self._guard(name, call, register=self._register(kind, name), **services)
        return self._parts[kind]

    def all_parts(self) -> list[Part]:
        """The parts of every kind; what is wrong with any is then in ``problems``."""
        return [part for kind in KINDS for part in self.parts(kind).values()]

    def part(self, kind: str, name: str) -> Part:
        """The part of a kind with a name; of selectors, ``role/name``.

        Raises:
            UnknownNameError: naming the nearest ones.
        """
        parts = self.parts(kind)
        if name in parts:
            return parts[name]
        role, slash, bare = name.partition("/")
        if kind != "selector" or not slash:
            raise UnknownNameError(kind, name, parts)
        known = [one.partition("/")[2] for one in parts if one.startswith(f"{role}/")]
        raise UnknownNameError(kind if role == "preset" else f"{role} selector", bare, known)

    def find(self, kind: str, text: str) -> tuple[Part, Spec]:
        """The part that a spec names, and the spec as its factory takes it.

        A text with the ending of a file that a part reads needs no name (``my.toml``).

        Raises:
            CommandError: if it names none (``UnknownNameError``: or none that there is).
        """
        spec = parse_spec(text)
        for part in self.parts(kind).values():
            if part.reads and text.endswith(part.reads) and spec.name != part.name:
                return part, Spec(part.name, text)
        return self.part(kind, spec.name), spec

    def default(self, kind: str, role: str = "") -> str:
        """The name of the part that is taken where a run names none; of selectors, of a role.

        Raises:
            CommandError: if no part is registered as the default.
        """
        for name, part in self.parts(kind).items():
            if part.default and name.startswith(role):
                return name.removeprefix(role)
        raise CommandError(f"no {kind} is the default; pass --{kind}")

    def keys(self) -> list[str]:
        """The configuration keys that annotators and students take, dotted."""
        parts = [part for kind in ("annotator", "student") for part in self.parts(kind).values()]
        models = {(part.kind, part.config) for part in parts if part.config is not None}
        return sorted(f"{kind}.{key}" for kind, model in models for key in model.model_fields)

    def _services(self) -> dict[str, Mapping[str, Any]]:
        return {"services": {name: part.factory for name, part in self.parts("service").items()}}

    def _register(self, kind: str, plugin: str) -> Any:
        parts = self._parts[kind]

        def register(
            name: str,
            factory: Any,
            *,
            summary: str = "",
            kinds: Sequence[str] = BOTH,
            config: type[BaseModel] | None = None,
            default: bool = False,
            reads: str = "",
        ) -> None:
            part = Part(kind, name, factory, summary, tuple(kinds), plugin, config, default, reads)
            wrong = wrong_with(part, kinds)
            if wrong is None and name in parts:
                wrong = f"{kind} {name!r} is already registered by {parts[name].plugin}"
            if wrong is None:
                parts[name] = part
            else:
                self._problem(plugin, wrong)

        def register_service(service: Any) -> None:
            register(service.name, service, summary=service.summary)

        return register_service if kind == "service" else register

    # -- commands and observers --------------------------------------------------------

    def register_commands(self, app: typer.Typer) -> None:
        """Let plugins add their commands; a name that is taken is refused."""
        import typer

        from harness.plugin_manager.commands import add_commands

        for name, call in self._callers("harness_register_commands"):
            own = typer.Typer()
            self._guard(name, call, app=own)
            for wrong in add_commands(app, own):
                self._problem(name, wrong)

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
            self._problem(plugin, f"{call.name} failed: {say(error)}")
