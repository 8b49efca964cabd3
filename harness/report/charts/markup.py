"""HTML and SVG as text in which nothing that others wrote is markup."""

from __future__ import annotations

from html import escape
from typing import TypeAlias

from harness.files.printable import printable

VOID = frozenset({"circle", "col", "input", "line", "link", "meta", "path", "polyline", "rect"})
"""Elements that are written without an end."""


class Html(str):
    """Text that is markup already; any other text becomes text."""

    __slots__ = ()


Child: TypeAlias = str | int | None


def text(value: object) -> Html:
    """A value as text: markup, scripts and control characters are shown, and do nothing."""
    return value if isinstance(value, Html) else Html(escape(printable(str(value))))


def element(tag: str, /, *children: Child, **attributes: object) -> Html:
    """An element; an attribute that is None or False is left out.

    ``class_`` stands for ``class``, and ``_`` for ``-`` in other names.
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{text(_short(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in VOID and not children:
        return Html(f"<{tag}{given}/>")
    return Html(f"<{tag}{given}>{joined(*children)}</{tag}>")


def joined(*children: Child) -> Html:
    """Several pieces, one after the other; None is nothing."""
    return Html("".join(text(child) for child in children if child is not None))


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
