"""The help of the whole program: commands in groups, then examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typer.core import TyperGroup

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Benchmark": ("run", "sweep", "plan"),
    "Own texts": ("label", "predict", "init", "certify"),
    "Results": ("runs", "table", "compare", "report", "export", "import"),
    "What there is": ("list", "show", "audit", "plugins", "cache", "doctor"),
}
"""Built-in commands; those of plugins follow."""
EXAMPLES = (
    ("harness run", "the loop on the shipped demo task, without any key"),
    ("harness run --task mr --data DIR --student minilm", "a task with data in a folder"),
    ('harness label texts.csv --labels "a,b,c" -o out.csv', "labels for texts of your own"),
    ("harness list annotators", "who can label; harness show annotator NAME says more"),
    ("harness --install-completion", "completion of commands in bash, zsh or fish"),
)


class GroupedCommands(TyperGroup):
    """Lists commands by what they are for."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Groups in their order; a command that no group names is a plugin's."""
        left = {name: one for name in self.list_commands(ctx) if (one := self.commands[name])}
        width = max(map(len, left))
        for title, names in GROUPS.items():
            self._section(formatter, title, {n: left.pop(n) for n in names if n in left}, width)
        self._section(formatter, "Of plugins", left, width)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples, then what holds for all commands."""
        with formatter.section("Examples"):
            formatter.write_dl(list(EXAMPLES))
        super().format_epilog(ctx, formatter)

    def _section(self, formatter: Any, title: str, commands: Mapping[str, Any], width: int) -> None:
        room = formatter.width - 6 - width
        rows = [
            (f"{name:<{width}}", one.get_short_help_str(room))
            for name, one in commands.items()
            if not one.hidden
        ]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
