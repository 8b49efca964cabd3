"""The one class that uses pluggy: collects parts from plugins, and calls observers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from harness import hookspecs
from harness.errors import (
    CommandError,
    HarnessError,
    PartError,
    UnknownNameError,
    describe,
    nearest,
)
from harness.plugin_manager import compatibility, source
from harness.plugin_manager.discovery import (
    BUILT_IN,
    BUILTINS,
    Found,
    import_named,
    installed,
    left_out,
)
from harness.plugin_manager.places import calling_place, place_of, place_of_error
from harness.plugin_manager.printing import printing_to_stderr
from harness.plugin_manager.registration import ASKING, BOTH, KINDS, Part, wrong_with
from harness.specs import Spec, parse_spec

if TYPE_CHECKING:
    import typer

ORDER = ("tryfirst", "trylast", "hookwrapper", "wrapper")
"""Marks of pluggy without effect here, since each plugin is called alone, in a fixed order."""


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin: its name, where it comes from, and the hooks it implements."""

    name: str
    origin: str
    hooks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a plugin; the program warns and goes on.

    ``place`` is the plugin's ``file:line``, where it is known; ``harmless``: nothing is left out.
    """

    plugin: str
    message: str
    place: str = ""
    harmless: bool = False

    def __str__(self) -> str:
        return f"plugin {self.plugin}: {self.message}" + (f" ({self.place})" if self.place else "")


class Plugins:
    """All plugins of this process.

    Args:
        extra: modules or files, the values of ``--plugin``.
        without: names of plugins to leave out, the values of ``--no-plugin``.
        warn: called with each problem once, as it arises.
        third_party: False leaves out the entry points of installed distributions.

    Raises:
        CommandError: if an ``extra`` plugin cannot be found or imported, or one to leave out is
            not there. (Plugins that the user names must work; problems of installed ones are
            warnings.)

    ``choice``: these arguments without ``warn``, by which another process has the same plugins.
    """

    def __init__(
        self,
        extra: Sequence[str] = (),
        *,
        without: Sequence[str] = (),
        warn: Callable[[Problem], None] | None = None,
        third_party: bool = True,
    ) -> None:
        self.choice = {"extra": [*extra], "without": [*without], "third_party": third_party}
        self._pm = pluggy.PluginManager("harness")
        self._pm.add_hookspecs(hookspecs)
        self._warn = warn
        self._origins: dict[str, str] = {}
        self._parts: dict[str, dict[str, Part]] = {}
        self._digests: dict[str, str] = {}
        self._keys: set[str] = set()
        self.problems: list[Problem] = []
        found = [Found(module, BUILT_IN, (module,)) for module in BUILTINS]
        found += installed() if third_party else ()
        refused = left_out(found, extra, without)
        for one in found:
            if one.name not in refused:
                self._load(one)
        for name in extra:
            if name not in refused:
                self.add(name)

    # -- finding plugins ---------------------------------------------------------------

    def _load(self, found: Found) -> None:
        """Import a plugin, unless it is made for another version of this program."""
        if found.problem is not None:
            self._problem(found.name, found.problem)
            return
        unmet = list(compatibility.unmet(found.requires)) if found.requires else []
        for ours, wrong in unmet:
            self._problem(found.name, wrong, harmless=not ours)
        if any(ours for ours, _ in unmet):
            return
        try:
            plugin = found.load()
        except (Exception, SystemExit) as error:
            place = place_of_error(error)
            self._problem(found.name, f"cannot be imported: {describe(error)}", place)
        else:
            self._add(plugin, found.name, found.origin)

    def add(self, name: str) -> None:
        """Add a plugin by module name or file, unless it is there already."""
        try:
            plugin = import_named(name)
        except HarnessError:
            raise
        except (Exception, SystemExit) as error:
            place = place_of_error(error)
            said = f"cannot be imported: {describe(error)}" + (f" ({place})" if place else "")
            raise CommandError(f"--plugin {name}: {said}") from error
        self.add_object(plugin, name)

    def add_object(self, plugin: object, name: str, origin: str = "--plugin") -> None:
        """Add a plugin that is imported already, or any object with hooks."""
        if name in self._origins or self._pm.is_registered(plugin):
            return
        warn, self._warn = self._warn, None  # a problem becomes the error, and no warning
        before = len(self.problems)
        self._add(plugin, name, origin)
        for kind in list(self._parts):  # those that were asked for before it came
            self._collect(kind, name)
        self._warn = warn
        for problem in self.problems[before:]:
            if not problem.harmless:
                raise CommandError(str(problem))
            if warn is not None:
                warn(problem)

    def _add(self, plugin: object, name: str, origin: str) -> None:
        if (wrong := compatibility.wrong_version(plugin)) is not None:
            self._problem(name, wrong, str(getattr(plugin, "__file__", "")))
            return
        try:
            self._pm.register(plugin, name)
        except Exception as error:
            self._problem(name, describe(error), _hook_place(plugin, str(error)))
            return
        self._origins[name] = origin
        callers = self._pm.get_hookcallers(plugin) or ()
        if not callers:
            message = "has no hook: a function named harness_... and marked @harness.hookimpl"
            self._problem(
                name, message, str(getattr(plugin, "__file__", None) or ""), harmless=True
            )
        for caller in callers:
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    self._check_hook(name, caller, implementation)

    def _check_hook(
        self, plugin: str, caller: pluggy.HookCaller, implementation: pluggy.HookImpl
    ) -> None:
        if (new := hookspecs.RENAMED.get(caller.name)) is not None:
            message = f"{caller.name} is an old name, and will no longer be called; name it {new}"
            self._problem(plugin, message, place_of(implementation.function), harmless=True)
        elif not caller.has_spec():
            message = f"there is no hook {caller.name!r}; {nearest(caller.name, hookspecs.HOOKS)}"
            self._problem(plugin, message, place_of(implementation.function))
        for mark in ORDER:
            if getattr(implementation, mark):
                message = (
                    f"{caller.name}: {mark} has no effect, since plugins are called one by one "
                    "in the order of their registration; leave it out"
                )
                self._problem(plugin, message, place_of(implementation.function))

    def _problem(
        self, plugin: str, message: str, place: str = "", *, harmless: bool = False
    ) -> None:
        problem = Problem(plugin, message, place, harmless)
        self.problems.append(problem)
        if self._warn is not None:
            self._warn(problem)

    def infos(self) -> list[PluginInfo]:
        """Every plugin that was registered, built-ins first."""
        infos = []
        for name, plugin in self._pm.list_name_plugin():
            callers = self._pm.get_hookcallers(plugin) or ()
            hooks = tuple(sorted(caller.name for caller in callers))
            infos.append(PluginInfo(name, self._origins[name], hooks))
        return infos

    def plugin(self, name: str) -> object:
        """The module, or other object, of a plugin that was registered."""
        return self._pm.get_plugin(name)

    def fingerprint(self, part: Part) -> str:
        """A hash of the source of the package that a part comes from.

        Third party: every file of the package. Built in: the files of its room, and those that
        they import from other rooms. An annotator's hash includes the service of its name.
        """
        service = self.parts("service").get(part.name) if part.kind == "annotator" else None
        return self._digest(part.plugin) + (self._digest(service.plugin) if service else "")

    def _digest(self, name: str) -> str:
        if name not in self._digests:
            if own := getattr(self._pm.get_plugin(name), "fingerprint", ""):
                return str(own)
            files = source.room_files if self._origins[name] == BUILT_IN else source.package_files
            self._digests[name] = source.digest(files(self._pm.get_plugin(name)))
        return self._digests[name]

    # -- parts -------------------------------------------------------------------------

    def parts(self, kind: str) -> Mapping[str, Part]:
        """All registered parts of a kind, by name."""
        if kind not in self._parts:
            self._parts[kind] = {}
            self._collect(kind)
        return self._parts[kind]

    def _collect(self, kind: str, plugin: str = "") -> None:
        """Let every plugin, or one of them, register its parts of a kind."""
        more: dict[str, object] = {}
        if kind in ASKING:
            more["services"] = {name: one.factory for name, one in self.parts("service").items()}
        for name, call in self._callers(f"harness_register_{kind}s"):
            if plugin in ("", name):
                self._guard(name, call, register=self._register(kind, name), **more)

    def all_parts(self) -> list[Part]:
        """The parts of every kind; ``problems`` is complete after this call."""
        return [part for kind in KINDS for part in self.parts(kind).values()]

    def part(self, kind: str, name: str) -> Part:
        """The part of a kind and name (of selectors ``role/name``), or ``UnknownNameError``."""
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

        A file name with the suffix that a part reads needs no name before it (``my.toml``).

        Raises:
            CommandError: if it names no part (``UnknownNameError``: no registered one).
        """
        spec = parse_spec(text)
        for part in self.parts(kind).values():
            if part.reads and text.endswith(part.reads) and spec.name != part.name:
                return part, Spec(part.name, text)
        return self.part(kind, spec.name), spec

    def default(self, kind: str, role: str = "") -> str:
        """The part that a run takes if it names none; of selectors, of a role (``preset/``).

        A ``CommandError`` if there is no default.
        """
        for name, part in self.parts(kind).items():
            if part.default and name.startswith(role):
                return name.removeprefix(role)
        raise CommandError(f"no {kind} is the default; pass --{kind}")

    def keys(self) -> list[str]:
        """The configuration keys that annotators and students take, dotted."""
        parts = [*self.parts("annotator").values(), *self.parts("student").values()]
        if not self._keys:
            for part in parts:
                try:
                    keys = getattr(part.config, "model_fields", ())
                except PartError as error:  # costs no other part its keys
                    self._problem(part.plugin, str(error))
                else:
                    self._keys.update(f"{part.kind}.{key}" for key in keys)
        return sorted(self._keys)

    def _register(self, kind: str, plugin: str) -> Any:
        parts = self._parts[kind]

        def register(
            name: str,
            factory: Any,
            *,
            kinds: Sequence[str] = BOTH,
            config: Any = None,
            **options: Any,
        ) -> None:
            part = Part(kind, name, factory, plugin, tuple(kinds), keys=config, **options)
            wrong = wrong_with(part, kinds)
            if wrong is None and name in parts:
                wrong = f"{kind} {name!r} is already registered by {parts[name].plugin}"
            if wrong is None:
                parts[name] = part
            else:
                self._problem(plugin, wrong, calling_place(inspect.currentframe()))

        def register_service(service: Any) -> None:
            register(service.name, service, summary=service.summary)

        return register_service if kind == "service" else register

    # -- commands and observers --------------------------------------------------------

    def register_commands(self, app: typer.Typer) -> None:
        """Add the commands of plugins, except under names that are taken."""
        import typer

        from harness.plugin_manager.commands import add_commands

        for name, call in self._callers("harness_register_commands"):
            own = typer.Typer()
            self._guard(name, call, app=own)
            for wrong in add_commands(app, own):
                self._problem(name, wrong)

    def notify(self, hook: str, **arguments: object) -> None:
        """Call an observer hook of every plugin, with a warning for one that fails.

        What it prints goes to stderr: stdout is for results.
        """
        with printing_to_stderr():
            for name, call in self._callers(hook):
                self._guard(name, call, **arguments)

    def _callers(self, hook: str) -> Iterator[tuple[str, pluggy.HookCaller]]:
        """Each plugin that implements a hook, with a caller that calls it alone.

        In the order of registration, so that built-ins take their names first.
        """
        everything = [plugin for _, plugin in self._pm.list_name_plugin()]
        old = [one for one, new in hookspecs.RENAMED.items() if new == hook]
        for plugin in everything:
            for caller in self._pm.get_hookcallers(plugin) or ():
                if caller.name == hook or caller.name in old:
                    others = [other for other in everything if other is not plugin]
                    name = self._pm.get_name(plugin) or repr(plugin)
                    yield name, self._pm.subset_hook_caller(caller.name, others)

    def _guard(self, plugin: str, call: pluggy.HookCaller, **arguments: object) -> None:
        try:
            call(**arguments)
        except (Exception, SystemExit) as error:
            self._problem(plugin, f"{call.name} failed: {describe(error)}", place_of_error(error))


def _hook_place(plugin: object, error: str) -> str:
    """Where the hook is written that an error of its registration names."""
    named = next((name for name in hookspecs.HOOKS if f"'{name}'" in error), "")
    return place_of(getattr(plugin, named)) if hasattr(plugin, named) else ""
