"""Pages that are made of the program itself: hooks, configuration keys, help of all commands."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer
from pydantic import BaseModel

from harness import hookspecs
from harness.cli.app import build_app
from harness.config import Config
from harness.plugin_manager import HasDefaults, Part, Plugins


def hooks() -> str:
    """Every hook with its signature, and what the functions are that register parts."""
    shown = (*hookspecs.HOOKS, "Register", "RegisterService")
    functions = (_function(getattr(hookspecs, name)) for name in shown)
    return "\n\n".join(["# Hooks", _prose(hookspecs.__doc__), *functions]) + "\n"


def _function(one: Any) -> str:
    called = one.__call__ if inspect.isclass(one) else one
    code, _, _ = inspect.cleandoc("\n" + inspect.getsource(called)).partition('    """')
    more = [_prose(called.__doc__)] if inspect.isclass(one) else []
    code = code.strip().removeprefix("@hookspec\n")
    return "\n\n".join(
        [f"## {one.__name__}", _prose(one.__doc__), *more, f"```python\n{code} ...\n```"]
    )


def _prose(docstring: str | None) -> str:
    """A docstring as Markdown: its lists of arguments become lists."""
    text = inspect.cleandoc(docstring or "").replace("``", "`").replace("Args:", "")
    return re.sub(r"^ {4}(\w+): ", r"- `\1`: ", text, flags=re.MULTILINE).replace("\n    ", "\n  ")


def configuration() -> str:
    """Every key of the core, then those of each part that has some."""
    plugins = Plugins(third_party=False)
    parts = [part for kind in ("annotator", "student") for part in plugins.parts(kind).values()]
    by_model: dict[type[BaseModel], list[Part]] = {}
    for part in parts:
        if part.config is not None:
            by_model.setdefault(part.config, []).append(part)
    head = (
        "# Configuration keys\n\nAs `--set KEY=VALUE`, or in the TOML file of `--config`, where "
        "what stands before the last dot is the name of a table. In brackets: the value where "
        "nobody sets the key (of students: for texts; `harness show student NAME` has both)."
    )
    core = "\n".join(["## Of every run\n", *_core(Config)])
    return "\n\n".join([head, core, *(_of_parts(*one) for one in by_model.items())]) + "\n"


def _core(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.default_factory() if field.default_factory else field.default  # type: ignore[call-arg]
        if isinstance(inner, BaseModel):
            yield from _core(type(inner), f"{before}{name}.")
        else:
            yield _key(before + name, inner, field.description)


def _of_parts(model: type[BaseModel], parts: list[Part]) -> str:
    kind, factory = parts[0].kind, parts[0].factory
    presets = factory.defaults() if isinstance(factory, HasDefaults) else {}
    names = ", ".join(f"`{part.name}`" for part in parts)
    lines = [f"## {kind.capitalize()}s {names}\n"]
    for name, field in model.model_fields.items():
        values = {preset: _value(kinds["sequence"].get(name)) for preset, kinds in presets.items()}
        same = len(set(values.values())) < 2
        by_preset = ", ".join(f"{preset}: {value or '-'}" for preset, value in values.items())
        usual = next(iter(values.values()), field.default) if same else by_preset
        lines.append(_key(f"{kind}.{name}", usual, field.description))
    return "\n".join(lines)


def _key(name: str, default: object, meaning: str | None) -> str:
    shown = f" (`{_value(default)}`)" if _value(default) else ""
    return f"- **`{name}`**{shown}: {' '.join((meaning or '').split()).replace('``', '`')}"


def _value(value: object) -> str:
    """As TOML writes it; "" where there is none."""
    return (
        str(value).lower() if isinstance(value, bool) else "" if value in (None, {}) else str(value)
    )


def commands() -> str:
    """The help of the program and of every command, as it is printed at 88 columns."""
    top = typer.main.get_command(build_app())
    return "# Commands\n\n" + "\n\n".join(_help(top, "harness"))


def _help(command: Any, name: str, parent: Any = None) -> Iterator[str]:
    context = type(command).context_class(
        command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=88
    )
    yield f"## {name}\n\n```text\n{command.get_help(context).strip()}\n```"
    for inner in getattr(command, "commands", {}).values():
        yield from _help(inner, f"{name} {inner.name}", context)
