"""Commands of plugins, added to those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer


def add_commands(app: typer.Typer, own: typer.Typer) -> Iterator[str]:
    """Add a plugin's commands and groups to ``app``; what cannot be added is said."""
    taken = {_command(info) for info in app.registered_commands}
    taken |= {_group(info) for info in app.registered_groups}
    for command in own.registered_commands:
        if _command(command) in taken:
            yield f"command {_command(command)!r} is already there"
        else:
            app.registered_commands.append(command)
    for group in own.registered_groups:
        if _group(group) in taken:
            yield f"command {_group(group)!r} is already there"
        else:
            app.registered_groups.append(group)


def _command(info: Any) -> str:
    """The name under which a command is called."""
    return str(info.name or info.callback.__name__.lower().replace("_", "-"))


def _group(info: Any) -> str:
    """The name of a group of commands: given where it is added, or its own."""
    given = info.name if isinstance(info.name, str) else None
    own = info.typer_instance.info.name if info.typer_instance is not None else None
    return given or (own if isinstance(own, str) else "")
