"""Registers the built-in services; what they need is imported when one is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import RegisterService


@hookimpl
def harness_register_services(register: RegisterService) -> None:
    """Whom ``NAME:MODEL`` asks."""
    from harness_plugins.llm.services.litellm import LITELLM
    from harness_plugins.llm.services.openai import OPENAI
    from harness_plugins.llm.services.transformers import TRANSFORMERS

    for service in (OPENAI, LITELLM, TRANSFORMERS):
        register(service)
