"""``harness plugins``: which plugins there are, and what is wrong with any."""

from __future__ import annotations

from harness.cli.options import load_plugins
from harness.cli.screen.output import say
from harness.printable import one_line


def plugins() -> None:
    """List plugins with the hooks that they implement, and what is wrong with any."""
    found = load_plugins()
    for info in found.infos():
        say(f"{info.name}  ({info.origin})")
        for hook in info.hooks:
            say(f"  {hook}")
    found.all_parts()
    for problem in found.problems:
        say(f"PROBLEM {one_line(str(problem))}")
