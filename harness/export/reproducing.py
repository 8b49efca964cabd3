"""The command that makes a run again, without paths of one machine."""

from __future__ import annotations

import json
import shlex
from typing import Any

from harness.config import SECTIONS, Config, SelectorConfig, flat, identifying
from harness.data import TaskCard
from harness.plugin_manager import Plugins
from harness.run.assembly import checked, resolve_selector
from harness.specs import parse_spec

OPTIONS = {
    "task": "--task",
    "annotator.spec": "--annotator",
    "student.spec": "--student",
    "selector.spec": "--selector",
    "rounds": "--rounds",
    "seed": "--seed",
    "setting": "--setting",
    "limit": "--limit",
}
"""Keys with an option of their own, in the order of the command."""
ALWAYS = ("task", "annotator.spec", "student.spec", "rounds", "seed")
ADDRESS = "annotator.base_url"


KEPT = ("annotator.price_input", "annotator.price_output", "student.save")
"""Keys that make no other run, but belong to its command: costs are by these prices."""


def command_of(config: Config, card: TaskCard, plugins: Plugins) -> str:
    """``harness run`` with every key of a resolved configuration that is not at its default."""
    config, shots = checked(config, plugins), card.prompt.shots
    spec = SelectorConfig(spec=config.selector.spec)
    selector = resolve_selector(spec, plugins, shots).model_dump()
    values: dict[str, object] = {
        "selector": selector | {"spec": plugins.default("selector", "preset/")},
        "demonstrations": {"shots": shots},
        **{role: {"spec": getattr(config, role).spec} for role in SECTIONS},
    }
    default = checked(Config.model_validate(values), plugins)
    usual, used = _keys(default), _keys(config)
    words = ["harness", "run"]
    for key, option in OPTIONS.items():
        value = used.pop(key)
        if key in ALWAYS or value != usual[key]:
            words += [option, portable(str(value))]
    for key, value in used.items():
        if value != usual.get(key):
            words += ["--set", f"{key}={'URL' if key == ADDRESS else _toml(value)}"]
    return shlex.join(words)


def portable(spec: str) -> str:
    """A spec, or a path, with a file's name in place of where it lies on this machine."""
    parsed = parse_spec(spec)
    argument = parsed.argument if parsed.argument is not None else spec
    if not argument.startswith(("/", "~", ".")):
        return spec
    return spec.replace(argument, argument.rstrip("/").rpartition("/")[2])


def _keys(config: Config) -> dict[str, Any]:
    """The keys that make another run and those of ``KEPT``, dotted; tables stay whole."""
    kept = {key for key, _ in flat(identifying(config))}.union(KEPT)
    return {
        key: value
        for key, value in flat(config.model_dump(mode="json"))
        if key in kept and (key.count(".") == 1 or ("." not in key and not isinstance(value, dict)))
    }


def _toml(value: Any) -> str:
    """A value as ``--set`` reads it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return value if isinstance(value, str) else json.dumps(value)
