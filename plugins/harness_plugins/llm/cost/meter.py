"""Counts what a run pays, and holds it under its budget."""

from __future__ import annotations

from harness.errors import BudgetError, CommandError
from harness_plugins.llm.calls import Call, Reply, Spent, Usage
from harness_plugins.llm.cost.prices import Price
from harness_plugins.llm.cost.tokens import MARGIN, prompt_tokens, reply_limit


class Meter:
    """Reserves the most that each call may cost before it is sent, and settles afterwards.

    A server may bill more than a request allows: the largest excess seen is added to every
    reservation, and with ``stepwise`` (not for a batch, whose answers come together) the number
    of requests in flight is at most one more than the number that came back. Requests that time
    out or break off are not counted, though the vendor may bill them.

    Args:
        budget_usd: most that the run may pay; None: no limit.
        price: of the model; None: unknown.
        spent: what the run has paid already.

    Raises:
        CommandError: a budget without a price.
    """

    def __init__(
        self,
        budget_usd: float | None,
        price: Price | None,
        spent: Spent,
        model: str,
        *,
        stepwise: bool = False,
    ) -> None:
        if budget_usd is not None and price is None:
            raise CommandError(
                f"--budget-usd: no price is known for model {model!r}; set "
                "annotator.price_input and annotator.price_output ($ per million tokens; an "
                "augmenter has options of these names)"
            )
        self._budget, self._price = budget_usd, price
        self.priced, self.spent_usd = price is not None, spent.cost_usd
        self._reserved: dict[str, float] = {}
        self._held = 0.0  # their sum: a batch reserves 50,000 calls in a row
        self._excess, self._came_back, self._stepwise = 0.0, 0, stepwise

    def catch_up(self, spent_usd: float) -> None:
        """Count what the run paid elsewhere: annotator and augmenter share a budget."""
        self.spent_usd = max(self.spent_usd, spent_usd)

    def reserve(self, key: str, call: Call, *, bought: bool = False) -> None:
        """Reserve the most that a call may cost; one that is ``bought`` already is never refused.

        Raises:
            BudgetError: if the budget, less what is paid and reserved, does not suffice.
        """
        if self._budget is None or self._price is None:
            return
        prompt = int(prompt_tokens(call) * MARGIN)
        most = self._price.cost_of(prompt, reply_limit(call))
        self._release(key)
        held = self._held + self._excess * len(self._reserved)
        early = self._stepwise and most > 0 and len(self._reserved) > self._came_back
        if not bought and (early or self.spent_usd + held + most + self._excess > self._budget):
            raise BudgetError(
                f"spent ${self.spent_usd:.4f} of the budget of ${self._budget:g}, and the next "
                f"request may cost ${most + self._excess:.6f}; all replies are kept: the same "
                "command with a higher --budget-usd goes on"
            )
        self._reserved[key] = most
        self._held += most

    def settle(self, key: str, billed: Reply | Usage | None) -> float:
        """Release the reservation, and count and return the cost of an attempt ($)."""
        reserved = self._release(key)
        self._came_back += 1
        if billed is None or self._price is None:
            return 0.0
        cost = self._price.cost(billed)
        self.spent_usd += cost
        if reserved is not None:
            self._excess = max(self._excess, cost - reserved)
        return cost

    def _release(self, key: str) -> float | None:
        reserved = self._reserved.pop(key, None)
        held = self._held - (reserved or 0.0)
        self._held = held if self._reserved else 0.0  # the last one takes rounding errors along
        return reserved
