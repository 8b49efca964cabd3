"""Which backend the settings ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness_plugins.llm.sender import Backend
    from harness_plugins.llm.settings import LlmSettings

__all__ = ["backend_of"]


def backend_of(settings: LlmSettings) -> Backend:
    """What turns calls into replies over the network, in this process.

    Raises:
        CommandError: if a key is needed and there is none.
        ConfigError: if litellm does not know the model's provider.
    """
    if settings.service == "litellm":
        from harness_plugins.llm.backends.litellm import LitellmBackend

        return LitellmBackend(settings)
    from harness_plugins.llm.backends.openai import openai_backend

    return openai_backend(settings)
