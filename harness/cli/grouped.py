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
LONGEST = 200
"""Letters of a sentence; more are cut."""
EXAMPLES = (
    ("harness run", "the loop on the shipped demo task, without any key"),
    ("harness run --task mr --data DIR --student minilm", "a task with data in a folder"),
    ('harness label texts.csv --labels "a,b,c" -o out.csv', "labels for texts of your own"),
    ("harness list annotators", "who can label; harness show annotator NAME says more"),
    ("harness --install-completion", "completion of commands in bash, zsh or fish"),
)


class WholeSummaries(TyperGroup):
    """Lists commands with the whole first sentence of each."""

    groups: Mapping[str, tuple[str, ...]] = {}
    others = "Commands"

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Groups in their order, then commands that no group names."""
        left = {name: one for name in self.list_commands(ctx) if (one := self.commands[name])}
        width = max(map(len, left))
        for title, names in self.groups.items():
            _section(formatter, title, {n: left.pop(n) for n in names if n in left}, width)
        _section(formatter, self.others, left, width)


class GroupedCommands(WholeSummaries):
    """Lists commands by what they are for; a command that no group names is a plugin's."""

    groups = GROUPS
    others = "Of plugins"

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples, then what holds for all commands."""
        with formatter.section("Examples"):
            formatter.write_dl(list(EXAMPLES))
        super().format_epilog(ctx, formatter)


def _section(formatter: Any, title: str, commands: Mapping[str, Any], width: int) -> None:
    rows = [
        (f"{name:<{width}}", one.get_short_help_str(LONGEST))
        for name, one in commands.items()
        if not one.hidden
    ]
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)
