"""What a shell completes: commands and options, and the names of parts."""

from __future__ import annotations

from typing import Any

from harness.cli.options import load_plugins
from harness.plugin_manager import KINDS

PRESET = "preset/"


def complete(command: Any) -> None:
    """Answer a shell that completes a command line, and exit."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()
    _complete_names(command)
    command._main_shell_completion({}, "harness")


def _complete_names(command: Any) -> None:
    """Let options and arguments that are named like a kind of part complete its parts' names."""
    for one in getattr(command, "commands", {}).values():
        _complete_names(one)
    kinds = (*KINDS, "name")  # `harness show KIND NAME`
    for parameter in command.params:
        if parameter.name in kinds:
            parameter._custom_shell_complete = _names


def _names(context: Any, parameter: Any, begun: str) -> list[str]:
    kind = context.params.get("kind") if parameter.name == "name" else parameter.name
    if kind not in KINDS:
        return []
    names = load_plugins().parts(kind)
    if kind == "selector" and parameter.name != "name":
        names = {one.removeprefix(PRESET): names[one] for one in names if one.startswith(PRESET)}
    return [one for one in names if one.startswith(begun)]
