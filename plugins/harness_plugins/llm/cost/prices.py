"""What tokens cost: the user's own prices, else those of the file of litellm's price table.

The higher prices of very long prompts (above 100,000 tokens) are ignored.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness_plugins.llm.keys import is_private

if TYPE_CHECKING:
    from harness_plugins.llm.calls import Reply, Usage
    from harness_plugins.llm.settings import LlmSettings

TABLE = "model_prices_and_context_window_backup.json"
BATCH_DISCOUNT = 0.5
"""Factor of the vendor's batch API if the table has no batch price."""


@dataclass(frozen=True, slots=True)
class Price:
    """$ per token of the prompt, of the reply with its thoughts, and of cached prompt tokens."""

    prompt: float
    completion: float
    cached: float

    @classmethod
    def per_million(cls, prompt: float, completion: float) -> Price:
        """From $ per million prompt and reply tokens."""
        return cls(prompt / 1e6, completion / 1e6, prompt / 1e6)

    def cost(self, billed: Reply | Usage) -> float:
        """$ of a reply, or of an attempt without one, by its usage."""
        return self.cost_of(billed.prompt_tokens, billed.completion_tokens, billed.cached_tokens)

    def cost_of(self, prompt: int, completion: int, cached: int = 0) -> float:
        """$ of so many tokens; ``cached`` are among those of the prompt."""
        fresh = max(0, prompt - cached)
        return fresh * self.prompt + cached * self.cached + completion * self.completion


FREE = Price(0.0, 0.0, 0.0)
"""A model on this machine or in the user's own network."""


def price_of(settings: LlmSettings) -> Price | None:
    """The price of a model's tokens: the user's (also for batches), else the service's, or None."""
    if settings.price is None:
        return settings.service.price(settings)
    return Price.per_million(*settings.price)


def own_server(settings: LlmSettings) -> str:
    """A note if nothing is paid because the server is the user's own; else ""."""
    if not is_private(settings.base_url) or price_of(settings) != FREE:
        return ""
    return (
        f"{settings.base_url} is a server of your own: it counts as $0; if it passes requests on "
        "to a vendor, set annotator.price_input and annotator.price_output"
    )


def vendor_price(settings: LlmSettings, *names: str) -> Price | None:
    """The vendor's price of the first known of these models; free on the user's own server."""
    if is_private(settings.base_url):
        return FREE
    return listed_price(*names, batch=settings.keys.batch)


def listed_price(*names: str, batch: bool = False) -> Price | None:
    """The price of the first of these models in litellm's table, or None.

    The name alone decides, even if a compatible server offers another model by that name.
    """
    for name in names:
        row = _table().get(name)
        if isinstance(row, dict) and "input_cost_per_token" in row:
            return _from_table(row, batch=batch)
    return None


def _from_table(row: Mapping[str, Any], *, batch: bool) -> Price:
    prompt = float(row["input_cost_per_token"])
    completion = float(row.get("output_cost_per_token") or 0.0)
    cached = float(row.get("cache_read_input_token_cost") or prompt)
    if not batch:
        return Price(prompt, completion, cached)
    return Price(
        float(row.get("input_cost_per_token_batches") or prompt * BATCH_DISCOUNT),
        float(row.get("output_cost_per_token_batches") or completion * BATCH_DISCOUNT),
        float(row.get("cache_read_input_token_cost_batches") or cached * BATCH_DISCOUNT),
    )


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    """Litellm's own copy; importing litellm would take seconds and fetch a newer one."""
    import orjson

    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    file = Path(spec.origin).parent / TABLE
    table: Mapping[str, Any] = orjson.loads(file.read_bytes()) if file.is_file() else {}
    return table
