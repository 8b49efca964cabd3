"""The built-in services: what they need is imported when a model is first asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import CommandError
from harness_plugins.llm.service import Service, reasons

if TYPE_CHECKING:
    from harness.protocols import Account
    from harness_plugins.llm.cost.prices import Price
    from harness_plugins.llm.sender import Backend, Sender
    from harness_plugins.llm.settings import LlmSettings

WITHOUT_SCHEMAS = ("gpt-3.5", "gpt-4-", "gpt-4o-2024-05", "o1-mini", "o1-preview", "ft:gpt-3.5")
"""How the names of the vendor's models before gpt-4o-2024-08-06 begin; and ``gpt-4`` itself."""


def _openai(settings: LlmSettings) -> Backend:
    from harness_plugins.llm.backends.openai import openai_backend

    return openai_backend(settings)


def _azure(settings: LlmSettings) -> bool:
    from harness_plugins.llm.keys import is_azure

    return is_azure(settings.base_url)


def _batch(settings: LlmSettings, account: Account) -> Sender:
    if _azure(settings):
        raise CommandError("annotator.batch: Azure's batch API is another; unset it")
    from harness_plugins.llm.batch.vendor_batch import BatchSender

    return BatchSender(settings, account)


def _openai_price(settings: LlmSettings) -> Price | None:
    from harness_plugins.llm.cost.prices import vendor_price

    model = settings.model
    names = [f"azure/{model}"] if _azure(settings) else []
    tuned = model.startswith("ft:")  # ft:gpt-4o-mini-2024-07-18:organisation::id
    names += [model, ":".join(model.split(":")[:2]) if tuned else model.removeprefix("openai/")]
    return vendor_price(settings, *names)


def _limit_name(settings: LlmSettings) -> str:
    vendor = settings.base_url is None or _azure(settings)
    return "max_completion_tokens" if vendor or reasons(settings.model) else "max_tokens"


def _structured(settings: LlmSettings) -> bool:
    """The vendor's own; a compatible server is asked for it by ``annotator.structured=true``."""
    name = settings.model.rpartition("/")[2]
    old = name == "gpt-4" or name.startswith(WITHOUT_SCHEMAS)
    return settings.base_url is None and not old


def _litellm(settings: LlmSettings) -> Backend:
    from harness_plugins.llm.backends.litellm import LitellmBackend

    return LitellmBackend(settings)


def _litellm_price(settings: LlmSettings) -> Price | None:
    from harness_plugins.llm.cost.prices import vendor_price

    model = settings.model
    bare = model.removeprefix("openai/") if settings.base_url else model.partition("/")[2]
    return vendor_price(settings, model, bare)


def _local_model(settings: LlmSettings, account: Account) -> Sender:
    from harness_plugins.llm.local.model import LocalModel

    return LocalModel(settings.model)


def _free(settings: LlmSettings) -> Price:
    from harness_plugins.llm.cost.prices import FREE

    return FREE


def _identity(model: str) -> str:
    from harness_plugins.llm.local.files import locate

    return locate(model).identity()


OPENAI = Service(
    "openai",
    "openai:MODEL, from the vendor or any compatible server (annotator.base_url)",
    backend=_openai,
    batch=_batch,
    endpoint="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    price=_openai_price,
    limit_name=_limit_name,
    structured=_structured,
    logprobs=True,
)
LITELLM = Service(
    "litellm",
    "litellm:PROVIDER/MODEL, any provider that litellm knows",
    backend=_litellm,
    price=_litellm_price,
    # All that its presets use; of others it is not known.
    structured=lambda settings: settings.model.startswith(("anthropic/", "gemini/")),
    logprobs=True,
)
TRANSFORMERS = Service(
    "transformers",
    "transformers:MODEL, a causal language model run here",
    sender=_local_model,
    price=_free,
    logprobs=True,
    choices=True,
    local=True,
    identity=_identity,
)
