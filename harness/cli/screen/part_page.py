"""What ``harness show`` prints of a part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness import abilities
from harness.cli.screen.output import hanging, say
from harness.plugin_manager import HasDefaults, Part
from harness.protocols import SelectorRequest
from harness.specs import Spec

if TYPE_CHECKING:
    from pydantic import BaseModel


def part_page(part: Part) -> None:
    """Print where a part comes from, what it does, and its configuration keys."""
    say(f"{part.kind} {part.name}")
    say(f"  {part.summary}")
    say(f"  serves: {', '.join(part.serves)} tasks")
    say(f"  plugin: {part.plugin}")
    if part.kind == "selector" and part.name.startswith("preset/"):
        preset = part.factory(SelectorRequest(Spec(part.name.partition("/")[2]), shots=1))
        for role in ("trust", "demonstrations", "query"):
            say(f"  {role} = {getattr(preset, role)}")
    elif not isinstance(part.factory, type):
        for key, value in abilities.describe(part.factory).items():
            say(f"  {key} = {value}")
    if part.config is not None:
        _print_keys(part, part.config)


def _print_keys(part: Part, model: type[BaseModel]) -> None:
    """The keys of a part: what each means, and its value where nobody sets it."""
    columns = _columns(part, model)
    differ = any(" / " in text for cells in columns.values() for text in cells.values())
    kinds = f" ({' / '.join(part.serves)} tasks, where they differ)" if differ else ""
    say(f"  keys: --set {part.kind}.KEY=VALUE; where it is not set, the value is{kinds}:")
    keys = ([key, *(cells[key] for cells in columns.values())] for key in model.model_fields)
    rows = [["", *columns], *keys]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
        say("  " + "  ".join(cells).rstrip())
        if row[0]:
            hanging("      ", " ".join((model.model_fields[row[0]].description or "").split()))


def _columns(part: Part, model: type[BaseModel]) -> Mapping[str, Mapping[str, str]]:
    """For each set of defaults the text of each key: two values where kinds of task differ."""
    keys = model.model_fields
    usual = {"default": {"": {key: field.default for key, field in keys.items()}}}
    found = part.factory.defaults() if isinstance(part.factory, HasDefaults) else usual

    def text(key: str, kinds: Mapping[str, Mapping[str, object]]) -> str:
        return " / ".join(dict.fromkeys(_value(values.get(key)) for values in kinds.values()))

    return {name: {key: text(key, kinds) for key in keys} for name, kinds in found.items()}


def _value(value: object) -> str:
    """As it is written in TOML; a dash where there is none."""
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None or value == {} else str(value)
