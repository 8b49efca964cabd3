"""Parts that a caller hands over as objects: each class becomes a plugin of one part."""

from __future__ import annotations

import hashlib
import inspect
import pickle
import re
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from harness import hookimpl
from harness.errors import CommandError
from harness.plugin_manager import Plugins
from harness.plugin_manager.making import lacking
from harness.plugin_manager.places import place_of, whose

KEYS: Mapping[str, tuple[str, str]] = {
    "task": ("task", ""),
    "annotator.spec": ("annotator", ""),
    "student.spec": ("student", ""),
    "student.augmenter": ("augmenter", ""),
    "selector.spec": ("selector", "preset/"),
    **{
        f"selector.{role}": ("selector", f"{role}/")
        for role in ("initial", "trust", "demonstrations", "query")
    },
}
"""Keys of the configuration whose value may be an object, with its kind and its role."""


class GivenParts:
    """A plugin that registers a name for objects; the argument of a spec says which of them."""

    fingerprint = "in the spec"
    """Stands for the source in a run's record."""

    def __init__(self, kind: str, name: str, first: object) -> None:
        self.objects: dict[str, object] = {}

        def harness_register(register: Any) -> None:
            kinds = getattr(first, "kinds", ("sequence", "token"))
            register(name, self._made, kinds=kinds, summary="given as an object")

        setattr(self, f"harness_register_{kind}s", hookimpl(harness_register))

    def _made(self, request: Any) -> object:
        return self.objects[request.spec.argument]


def with_given(values: Mapping[str, Any], plugins: Plugins) -> dict[str, Any]:
    """The values with each object registered, and its spec in its place.

    A spec has eight digits of the identity, so that no object is taken for another of its class.

    Raises:
        CommandError: if it is a class, or no such part; if a built-in or installed part has its
            name; or if its state cannot be hashed.
    """
    return {
        key: _registered(*KEYS[key], value, plugins)
        if key in KEYS and value is not None and not isinstance(value, str)
        else value
        for key, value in values.items()
    }


def _registered(kind: str, role: str, part: object, plugins: Plugins) -> str:
    _check(kind, role, part)
    name, digits = name_of(part), identity_of(part)[:8]
    plugin = f"{_called(kind, role)} {name}, given"
    plugins.add_object(GivenParts(kind, role + name, part), plugin, "an object")
    owner = plugins.part(kind, role + name).plugin
    if owner != plugin:
        raise CommandError(
            f"{kind} {name!r} is already registered by {owner}; give the class of your object "
            "another name"
        )
    given = plugins.plugin(plugin)  # the first one of this name
    assert isinstance(given, GivenParts)
    given.objects[digits] = part
    return f"{name}:{digits}"


def _check(kind: str, role: str, part: object) -> None:
    """A ``CommandError`` for a class in place of an object, or for what is no such part."""
    if inspect.isclass(part):
        raise CommandError(f"{part.__name__} is a class; write {part.__name__}()")
    if missing := lacking(part, role.removesuffix("/") or kind):
        raise CommandError(
            f"{_title(part)} is no {_called(kind, role)}: it has no {', '.join(missing)}; "
            "see harness.protocols"
        )


def _called(kind: str, role: str) -> str:
    return f"{role.removesuffix('/')} {kind}" if role else kind


def _title(part: object) -> str:
    own = getattr(part, "__qualname__", None)
    title = f"the function {own}" if own else f"an object of class {type(part).__qualname__}"
    return f"{title} {whose('', place_of(part))}".rstrip()


def name_of(part: object) -> str:
    """``MyAnnotator()`` is ``my-annotator``; a task has the name of its card."""
    card = getattr(part, "card", None)
    named = getattr(card, "name", None) or getattr(part, "__name__", None) or type(part).__name__
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", str(named)).lower()
    return re.sub(r"[^\w.+-]+", "-", words).strip("-") or "object"


def identity_of(part: object) -> str:
    """A hash of the source and of the state of an object, or of its own ``fingerprint``.

    So a run is found again for the same object, and never for another of its class.

    Raises:
        CommandError: if its state cannot be pickled.
    """
    if own := getattr(part, "fingerprint", None):
        return hashlib.sha256(str(own).encode()).hexdigest()[:16]
    found = hashlib.sha256(_source(part).encode())
    state = getattr(part, "__dict__", {})
    if isinstance(part, FunctionType):
        state = [cell.cell_contents for cell in part.__closure__ or ()]
    try:
        found.update(pickle.dumps(state))
    except Exception as error:
        raise CommandError(
            f"{type(part).__name__}: what it holds cannot be told from that of another such "
            f"object ({error}); give it an attribute fingerprint, a text"
        ) from None
    return found.hexdigest()[:16]


def _source(part: object) -> str:
    written = part if isinstance(part, FunctionType) else type(part)
    try:
        return inspect.getsource(written)
    except (OSError, TypeError):  # typed at a prompt
        members = (written, *vars(written).values())
        codes = [one.__code__ for one in members if hasattr(one, "__code__")]
        return repr([(code.co_name, code.co_code, code.co_names) for code in codes])
