"""The service ``transformers``: a causal language model run in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_plugins.llm.cost.prices import FREE
from harness_plugins.llm.service import Service

if TYPE_CHECKING:
    from harness.protocols import Account
    from harness_plugins.llm.sender import Sender
    from harness_plugins.llm.settings import LlmSettings


def _sender(settings: LlmSettings, account: Account) -> Sender:
    from harness_plugins.llm.local.model import LocalModel

    return LocalModel(settings.model)


def _identity(model: str) -> str:
    from harness_plugins.llm.local.files import locate

    return locate(model).identity()


TRANSFORMERS = Service(
    "transformers",
    "transformers:MODEL, a causal language model run here",
    sender=_sender,
    price=lambda settings: FREE,
    logprobs=True,
    choices=True,
    local=True,
    identity=_identity,
)
