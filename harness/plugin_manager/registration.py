"""What a plugin registers, and the checks of it: at once, one line for each problem."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.errors import PartError, describe, nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

KINDS = (
    *("task", "service", "annotator", "student", "selector", "augmenter", "recipe"),
    *("model", "table_format", "check"),
)
"""Kinds of part, each with a registration hook."""
ASKING = ("annotator", "augmenter")
"""Kinds whose registration hook receives the services."""
BOTH: tuple[str, ...] = ("sequence", "token")
ROLES = ("initial", "trust", "demonstrations", "query", "preset")
"""What a selector's name begins with."""

_NAME = re.compile(r"\w[\w.+-]*")
_PLACE = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")


@dataclass(frozen=True)
class Part:
    """One registered part: what ``hookspecs.Register`` was given, and by which plugin.

    ``given`` and ``keys`` are its factory and its configuration keys, or where they are written:
    ``factory`` and ``config`` import them.
    """

    kind: str
    name: str
    given: Any
    plugin: str
    serves: tuple[str, ...]
    summary: str = ""
    keys: type[BaseModel] | str | None = None
    default: bool = False
    reads: str = ""

    @cached_property
    def factory(self) -> Any:
        """What makes the part; a ``PartError`` if it cannot be imported, or is no factory."""
        return self._imported(self.given, _factory)

    @cached_property
    def config(self) -> type[BaseModel] | None:
        """The model of its own keys; a ``PartError`` if it cannot be imported, or is no model."""
        model: type[BaseModel] | None = self._imported(self.keys, _config)
        return model

    def _imported(self, value: Any, check: Callable[[str, Any], str | None]) -> Any:
        if not isinstance(value, str):
            return value  # it was checked when it was registered
        module, _, name = value.partition(":")
        try:
            found = reduce(getattr, name.split("."), importlib.import_module(module))
            wrong = check(self.kind, found)
        except (Exception, SystemExit) as error:
            wrong = describe(error)
        if wrong is not None:
            raise PartError(f"{self.kind} {self.name!r}: {value}: {wrong} (plugin {self.plugin})")
        return found

    @property
    def role(self) -> str:
        """Of a selector its role, such as ``trust``; else the kind."""
        return self.name.partition("/")[0] if self.kind == "selector" else self.kind


@runtime_checkable
class HasDefaults(Protocol):
    """A factory whose keys have several sets of defaults, or others than its model."""

    def defaults(self) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
        """The value of each key, by the name of the set and the kind of task."""


def wrong_with(part: Part, kinds: object) -> str | None:
    """Why a part cannot be registered, or None. ``kinds`` may be any object."""
    checks = (
        _name(part),
        _kinds(kinds),
        _place(part.given) if isinstance(part.given, str) else _factory(part.kind, part.given),
        _place(part.keys) if isinstance(part.keys, str) else _config(part.kind, part.keys),
    )
    found = next((check for check in checks if check is not None), None)
    return None if found is None else f"{part.kind} {part.name!r}: {found}"


def _name(part: Part) -> str | None:
    name = part.name
    if part.kind == "selector" and isinstance(name, str):
        role, _, name = name.partition("/")
        if role not in ROLES:
            return f"the name must say the role, ROLE/NAME; roles are {', '.join(ROLES)}"
    if isinstance(name, str) and _NAME.fullmatch(name):
        return None
    return "no spec can name it: a name consists of letters, digits, '-', '_', '.' and '+'"


def _kinds(kinds: object) -> str | None:
    if isinstance(kinds, str) or not isinstance(kinds, Sequence) or not kinds:
        return f"kinds={kinds!r}: a list is expected, of 'sequence' and 'token'"
    for kind in kinds:
        if kind not in BOTH:
            return f"kinds={list(kinds)!r}: no kind of task is {kind!r}; {nearest(str(kind), BOTH)}"
    return None


def _place(text: str) -> str | None:
    return None if _PLACE.fullmatch(text) else f"{text!r}: write MODULE:NAME, which is imported"


def _factory(kind: str, factory: Any) -> str | None:
    if kind == "service":  # the value itself
        return None
    if not callable(factory):
        name = type(factory).__name__
        return f"a factory is expected, a callable that takes one request; this is of type {name}"
    try:
        signature = inspect.signature(factory)
    except ValueError:  # some built-in functions have no known signature
        return None
    try:
        signature.bind(None)
    except TypeError:
        return f"its factory must take one argument, the request; it takes {signature}"
    return None


def _config(kind: str, model: Any) -> str | None:
    if model is None:
        return None
    from pydantic import BaseModel

    from harness.config import SECTIONS

    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return f"config={model!r}: a pydantic model is expected (a class)"
    if kind not in SECTIONS:
        return f"config has no effect: only {' and '.join(SECTIONS)} have keys of their own"
    core = SECTIONS[kind]  # type: ignore[index]
    for key, field in model.model_fields.items():
        if hasattr(core, key) or key in core.model_fields:
            return f"config: the key {key!r} is the core's own; choose another name"
        if field.is_required():
            return f"config: the key {key!r} needs a default"
    unknown = sorted(getattr(model, "not_identifying", frozenset()) - set(model.model_fields))
    return f"config: not_identifying names no key of it: {', '.join(unknown)}" if unknown else None
