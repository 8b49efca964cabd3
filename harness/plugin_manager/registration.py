"""What a plugin registers, and the checks of it: at once, one line for each problem."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.errors import nearest

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


@dataclass(frozen=True, slots=True)
class Part:
    """One registered part: what ``hookspecs.Register`` was given, and by which plugin."""

    kind: str
    name: str
    factory: Any
    plugin: str
    serves: tuple[str, ...]
    summary: str = ""
    config: type[BaseModel] | None = None
    default: bool = False
    reads: str = ""

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
    checks = (_name(part), _kinds(kinds), _factory(part), _config(part))
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


def _factory(part: Part) -> str | None:
    factory = part.factory
    if part.kind == "service":  # the value itself
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


def _config(part: Part) -> str | None:
    model = part.config
    if model is None:
        return None
    from pydantic import BaseModel

    from harness.config import SECTIONS

    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return f"config={model!r}: a pydantic model is expected (a class)"
    if part.kind not in SECTIONS:
        return f"config has no effect: only {' and '.join(SECTIONS)} have keys of their own"
    core = SECTIONS[part.kind]  # type: ignore[index]
    for key, field in model.model_fields.items():
        if hasattr(core, key) or key in core.model_fields:
            return f"config: the key {key!r} is the core's own; choose another name"
        if field.is_required():
            return f"config: the key {key!r} needs a default"
    unknown = sorted(getattr(model, "not_identifying", frozenset()) - set(model.model_fields))
    return f"config: not_identifying names no key of it: {', '.join(unknown)}" if unknown else None
