"""Registers the presets of the user's configuration file.

A plugin of its own: a mistake in that file is said, and costs no other annotator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register


@hookimpl
def harness_register_annotators(register: Register) -> None:
    """One annotator for each table ``[presets.NAME]``."""
    from harness_plugins.annotators.models import PresetFactory
    from harness_plugins.llm.presets import user_presets
    from harness_plugins.llm.settings import LlmKeys

    for preset in user_presets().values():
        register(preset.name, PresetFactory(preset), summary=preset.summary, config=LlmKeys)
