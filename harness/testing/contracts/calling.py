"""Calls a part and refuses what no part may do: raise, print, change its arguments, read gold."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from harness.data import Gold
from harness.errors import describe
from harness.identity import digest
from harness.plugin_manager.places import place_of, place_of_error


class BrokenContractError(Exception):
    """What a part did against its protocol, and where it is written."""

    def __init__(self, message: str, place: str) -> None:
        self.message, self.place = message, place
        super().__init__(message)


def refuse(wrong: str | None, thing: object) -> None:
    """Raise for a sentence on what is wrong; None: all is well."""
    if wrong is not None:
        raise BrokenContractError(wrong, place_of(thing))


def asked(part: Any, name: str, *arguments: Any, gold: bool = False) -> Any:
    """What a method (or, for ``__call__``, a function) of a part returns.

    ``gold``: it may read gold labels.
    """
    method = part if name == "__call__" else getattr(part, name, None)
    called = "it" if name == "__call__" else name
    if not callable(method):
        raise BrokenContractError(f"it has no method {name}", place_of(part))
    before = [_state(one) for one in arguments]
    with _printed() as printed, _gold_seen() as seen:
        try:
            value = method(*arguments)
        except (Exception, SystemExit) as error:
            how = "ended the process" if isinstance(error, SystemExit) else "raised"
            place = place_of_error(error) or place_of(method)
            raise BrokenContractError(f"{called} {how}: {describe(error)}", place) from error
    if text := "".join(printed):
        refuse(f"{called} printed {text[:40]!r} on stdout, which is for results alone", method)
    if seen and not gold:
        refuse(f"{called} read gold labels; only annotators with needs_gold = True may", method)
    for argument, state in zip(arguments, before, strict=True):
        if _state(argument) != state:
            refuse(f"{called} changed its argument, a {type(argument).__name__}; copy it", method)
    return value


@contextlib.contextmanager
def _printed() -> Iterator[list[str]]:
    """Holds at the end what was printed, also by programs that the part started."""
    found: list[str] = []
    kept = os.dup(1)
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        os.dup2(file.fileno(), 1)
        try:
            with contextlib.redirect_stdout(file):
                yield found
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            found.append(file.read())


@contextlib.contextmanager
def _gold_seen() -> Iterator[list[str]]:
    """Notes each ``Gold`` that is made: loading, drawing and taking rows all make one."""
    seen: list[str] = []
    before = Gold.__post_init__

    def noting(self: Gold) -> None:
        seen.append(self.split)
        before(self)

    Gold.__post_init__ = noting  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        Gold.__post_init__ = before  # type: ignore[method-assign]


def _state(argument: object) -> str:
    """A hash of what a part could change."""
    if hasattr(argument, "__dataclass_fields__") or hasattr(argument, "dtype"):
        return digest(argument)
    return ""
