"""Named models: a spec and, where a model needs them, further settings."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError
from harness.files.user_config import user_config_file

if TYPE_CHECKING:
    from harness_plugins.llm.service import Service

DEFAULT = "gpt-small"
"""The annotator whose prompt is shown if the user names none."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named model: its spec ``SERVICE:MODEL`` and keys of ``LlmKeys`` unless the run sets them.

    ``file`` is the user's file that defines it; None: built in.
    """

    name: str
    spec: str
    summary: str
    values: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None

    def describe(self) -> Mapping[str, object]:
        """For ``harness show annotator``."""
        file = {} if self.file is None else {"file": str(self.file)}
        keys = {f"annotator.{key}": value for key, value in self.values.items()}
        return {"spec": self.spec, **keys, **file}


_THINKS = {"parameters": {"reasoning_effort": "low"}, "max_tokens": 4096}
"""Thoughts count as tokens of the reply."""

_CLAUDE, _GEMINI = "litellm:anthropic/claude", "litellm:gemini/gemini"
_UNSET_TEMPERATURE = {"temperature": "default"}
_GPT35 = (
    "the published annotator; its vendor shut it down on 2026-10-23: "
    "for a compatible server (annotator.base_url)"
)
_GPT_SMALL = "gpt-6-luna without reasoning ($0.10/$0.50 per million tokens)"
_NO_REASONING = {"parameters": {"reasoning_effort": "none"}}

_ROWS: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
    ("gpt35", "openai:gpt-3.5-turbo", _GPT35, {}),
    ("gpt-small", "openai:gpt-6-luna", _GPT_SMALL, _NO_REASONING),
    ("gpt-large", "openai:gpt-6-sol", "gpt-6-sol, reasons ($2/$10)", {}),
    ("claude-small", f"{_CLAUDE}-haiku-5-5", "Claude Haiku ($0.10/$0.50)", _UNSET_TEMPERATURE),
    ("claude-large", f"{_CLAUDE}-sonnet-5-5", "Claude Sonnet ($2/$10)", _UNSET_TEMPERATURE),
    ("gemini-small", f"{_GEMINI}-3.5-flash-lite", "Gemini Flash-Lite ($0.30/$2.50)", _THINKS),
    ("gemini-large", f"{_GEMINI}-3.8-flash", "Gemini Flash ($0.75/$3.75)", _THINKS),
)
PRESETS: Mapping[str, Preset] = {row[0]: Preset(*row) for row in _ROWS}
"""Built-in presets. Models and prices as of November 2026, from litellm's price table."""


def user_presets() -> dict[str, Preset]:
    """The presets of the user's configuration file: tables ``[presets.NAME]``.

    Each has a ``spec``, and optionally a ``summary`` and keys of ``LlmKeys``. The file may be
    absent unless ``HARNESS_CONFIG`` names it.

    Raises:
        ConfigError: naming the file and the key.
    """
    path = user_config_file()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("presets", {})
    except FileNotFoundError:
        if os.environ.get("HARNESS_CONFIG"):
            raise ConfigError(f"HARNESS_CONFIG names {path}: no such file") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a readable TOML file: {error}") from None
    if not isinstance(tables, dict):
        raise ConfigError(f"{path}: write presets as tables [presets.NAME]")
    return {name: _read(name, values, path) for name, values in tables.items()}


def preset_named(name: str, services: Mapping[str, Service]) -> Preset | None:
    """The user's preset or the built-in one of that name, or None."""
    refuse_ambiguous(name, services)
    return user_presets().get(name) or PRESETS.get(name)


def refuse_ambiguous(name: str, services: Mapping[str, Service]) -> None:
    """Refuse a user's preset with the name of a built-in preset or of a service."""
    if name not in PRESETS and name not in services:
        return
    try:
        own = user_presets()
    except ConfigError:  # reported at registration; no other annotator is affected
        return
    if name in own:
        raise ConfigError(
            f"{own[name].file}: [presets.{name}]: {name!r} is built in and means another model; "
            "give the preset a name of its own"
        )


def _read(name: str, values: Any, file: Path) -> Preset:
    from pydantic import ValidationError

    from harness_plugins.llm.settings import LlmKeys

    where = f"{file}: [presets.{name}]"
    if not isinstance(values, dict) or not isinstance(values.get("spec"), str):
        raise ConfigError(f'{where}: a preset needs spec = "openai:MODEL" (or another service)')
    values = dict(values)
    summary = str(values.pop("summary", f"{values['spec']} (from your configuration file)"))
    spec = values.pop("spec")
    try:
        LlmKeys.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: key {key!r}: {first['msg'].lower()}") from None
    return Preset(name, spec, summary, values, file)
