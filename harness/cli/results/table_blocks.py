"""``harness table --update``: the tables of a Markdown file, each made by its own command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import CommandError, RunError
from harness.record.folder import new_text
from harness.report.blocks import Block, find_blocks, rewritten

Values = Mapping[str, Any]
"""What a command's options are given, by parameter."""


def parsed(command: Callable[..., None], arguments: Sequence[str], place: str) -> dict[str, Any]:
    """The options of a block; a ``CommandError`` that names its place for a wrong one."""
    import typer

    app = typer.Typer(add_completion=False)
    app.command("table")(command)
    made = typer.main.get_command(app)
    try:
        values = dict(made.make_context("harness table", list(arguments)).params)
    except typer.Exit:
        raise CommandError(f"{place}: --help makes no table") from None
    except typer.TyperException as error:
        raise CommandError(f"{place}: {error.format_message()}") from None
    values["runs"] = list(values["runs"] or ()) or None
    return values


def update_file(
    file: Path,
    command: Callable[..., None],
    given: Values,
    make: Callable[[Values], str],
    *,
    check: bool,
) -> None:
    """Rewrite the blocks of a file, or check them: all, or those with the same arguments.

    Args:
        file: Markdown.
        command: reads the arguments of a block.
        given: the other options of this command.
        make: a block's text by its options.
        check: change nothing.

    Raises:
        RunError: if a checked block does not match.
    """
    text = _read(file)
    blocks = {
        block: parsed(command, block.arguments, f"{file}:{block.line}")
        for block in find_blocks(text, str(file))
    }
    own = {"update", "check"}
    mine = {key: value for key, value in given.items() if key not in own}
    if mine != {key: value for key, value in parsed(command, (), "").items() if key not in own}:
        blocks = {
            block: values
            for block, values in blocks.items()
            if mine == {key: value for key, value in values.items() if key not in own}
        }
        if not blocks:
            raise CommandError(f"--update {file}: no block has these arguments")

    def text_of(block: Block) -> str:
        return make(blocks[block])

    made, changed = rewritten(text, list(blocks), text_of)
    if check and changed:
        lines = ", ".join(f"{file}:{line}" for line in changed)
        raise RunError(f"{lines}: not what the command makes; run harness table --update {file}")
    if not check and changed:
        new_text(file, made)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--update {file}: cannot be read ({error})") from None
