"""``harness list``: the names of parts."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import typer

from harness.cli.options import load_plugins
from harness.cli.screen.output import hanging, say

Kind = Literal["annotators", "services", "students", "selectors", "augmenters", "tasks", "recipes"]


def list_parts(
    kind: Annotated[Kind | None, typer.Argument(help="One kind of part; all if left out.")] = None,
) -> None:
    """List the names of parts, with one line on each."""
    for one in [kind] if kind else get_args(Kind):
        parts = load_plugins().parts(one.removesuffix("s"))
        say(f"{one}:")
        width = max((len(name) for name in parts), default=0)
        for name in sorted(parts):
            serves = "" if len(parts[name].serves) == 2 else f"  [{parts[name].serves[0]} tasks]"
            hanging(f"  {name:<{width}}  ", parts[name].summary + serves)
        if not parts:
            say("  (none)")
