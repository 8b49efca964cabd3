"""The console on which tables are drawn: nothing that it prints is read as markup or obeyed."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from harness.files.printable import printable


class PlainConsole(Console):
    """Draws texts as they are, whoever wrote them."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As rich does, with ``printable`` texts; what moves its own cursor stays."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)
