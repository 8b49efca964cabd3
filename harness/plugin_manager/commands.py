"""Commands of plugins, added to the built-in ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer


def add_commands(app: typer.Typer, own: typer.Typer) -> Iterator[str]:
    """Add a plugin's commands and groups to ``app``; yields one line for each that is refused."""
    taken = {_name(info) for info in (*app.registered_commands, *app.registered_groups)}
    pairs: tuple[tuple[list[Any], list[Any]], ...] = (
        (own.registered_commands, app.registered_commands),
        (own.registered_groups, app.registered_groups),
    )
    for infos, target in pairs:
        for info in infos:
            if _name(info) in taken:
                yield f"command {_name(info)!r} is already there"
            else:
                target.append(info)


def _name(info: Any) -> str:
    """The name under which a command, or a group of commands, is called."""
    if isinstance(info.name, str) and info.name:
        return info.name
    if group := getattr(info, "typer_instance", None):
        return group.info.name if isinstance(group.info.name, str) else ""
    return str(info.callback.__name__.lower().replace("_", "-"))
