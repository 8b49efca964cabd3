"""Registers the built-in services; what they need is imported when one is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import RegisterService


@hookimpl
def harness_register_services(register: RegisterService) -> None:
    """Whom ``NAME:MODEL`` asks."""
    from harness_plugins.llm.services import LITELLM, OPENAI, TRANSFORMERS

    for service in (OPENAI, LITELLM, TRANSFORMERS):
        register(service)
