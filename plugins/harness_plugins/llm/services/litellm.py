"""The service ``litellm``: every provider that litellm knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_plugins.llm.cost.prices import Price, vendor_price
from harness_plugins.llm.service import Service

if TYPE_CHECKING:
    from harness_plugins.llm.sender import Backend
    from harness_plugins.llm.settings import LlmSettings


def _backend(settings: LlmSettings) -> Backend:
    from harness_plugins.llm.backends.litellm import LitellmBackend

    return LitellmBackend(settings)


def _price(settings: LlmSettings) -> Price | None:
    model = settings.model
    bare = model.removeprefix("openai/") if settings.base_url else model.partition("/")[2]
    return vendor_price(settings, model, bare)


LITELLM = Service(
    "litellm",
    "litellm:PROVIDER/MODEL, any provider that litellm knows",
    backend=_backend,
    price=_price,
    # All that its presets use; of others it is not known.
    structured=lambda settings: settings.model.startswith(("anthropic/", "gemini/")),
    logprobs=True,
)
