"""A part that is being checked: made as a run makes it, for the tiny task of a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from harness.config import DemonstrationsConfig
from harness.data import Kind
from harness.plugin_manager import Part, Plugins
from harness.plugin_manager.making import made as made_by
from harness.plugin_manager.places import place_of
from harness.protocols import (
    AnnotatorRequest,
    AugmenterRequest,
    SelectorRequest,
    StudentRequest,
    TaskRequest,
)
from harness.run.assembly import others
from harness.run.contracts import WrongValueError
from harness.specs import Spec
from harness.testing.contracts.calling import BrokenContractError, asked
from harness.testing.contracts.tiny import SHOTS, Tiny, tiny

METHODS = {
    "annotator": "annotate",
    "student": "fit",
    "augmenter": "augment",
    "demonstrations": "choose",
}
"""By role what the contracts call; of others the object itself."""


class NotCheckedError(Exception):
    """A contract cannot be checked here; says why."""


def skip(why: str) -> NoReturn:
    """Leave a contract unchecked."""
    raise NotCheckedError(why)


@dataclass(slots=True)
class Subject:
    """A part with its spec, for one kind of task; it is made once unless ``remade``.

    ``keys`` are those of its configuration that are not left at their defaults.
    """

    plugins: Plugins
    part: Part
    spec: Spec
    kind: Kind
    keys: Mapping[str, object] = field(default_factory=dict)
    tiny: Tiny = field(init=False)
    _made: Any = None

    def __post_init__(self) -> None:
        self.tiny = tiny(self.kind)

    @property
    def source(self) -> object:
        """What its plugin gave: the factory, or of a service what makes its backend."""
        given = self.part.given
        if self.part.kind != "service":
            return given
        return getattr(given, "backend", None) or getattr(given, "sender", None) or given

    def made(self) -> Any:
        """The part, as its factory made it first."""
        if self._made is None:
            self._made = self.remade()
        return self._made

    def remade(self) -> Any:
        """Another one of the same request."""
        return asked(_Factory(self.part), "made", self._request())

    def checked(
        self, check: Callable[..., None], value: object, *more: object, of: str = ""
    ) -> None:
        """A check of ``run.contracts``, whose message says what a run would say.

        ``of``: the method that returned the value, where it is not that of ``METHODS``.
        """
        try:
            check(value, *more)
        except WrongValueError as wrong:
            raise BrokenContractError(f"it {wrong}", place_of(self.method(of))) from wrong

    def method(self, name: str = "") -> object:
        """Its method, or that of ``METHODS``, or itself: where a wrong value is written."""
        return getattr(self.made(), name or METHODS.get(self.part.role, ""), self.made())

    def _request(self) -> object:
        card = self.tiny.card
        config = None if self.part.config is None else self.part.config(**self.keys)
        shown = DemonstrationsConfig(shots=SHOTS)
        return {
            "annotator": AnnotatorRequest(self.spec, card, config, 0, shown),
            "student": StudentRequest(self.spec, card, config, other=others(card, self.plugins)),
            "selector": SelectorRequest(self.spec, SHOTS),
            "augmenter": AugmenterRequest(self.spec, card),
            "task": TaskRequest(self.spec),
        }.get(self.part.kind)


@dataclass(frozen=True, slots=True)
class _Factory:
    part: Part

    def made(self, request: object) -> Any:
        """As a run makes it; what its factory says of a missing argument is passed on."""
        return made_by(self.part, request)
