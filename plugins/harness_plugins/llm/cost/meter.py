"""Counts what a run pays, and holds it under its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import BudgetError, CommandError
from harness_plugins.llm.cost.tokens import MARGIN, prompt_tokens, reply_limit

if TYPE_CHECKING:
    from harness_plugins.llm.calls import Call, Reply, Spent, Usage
    from harness_plugins.llm.cost.prices import Price


class Meter:
    """Reserves what each call may cost at most before it is sent, and settles afterwards.

    A server may bill more than a request allows it to: what it was seen to bill above a
    reservation is added to every other, and ``stepwise`` lets as many requests be in flight as
    have come back, and one. A request that times out or breaks off may be on the vendor's bill
    without a usage to read: such requests are not counted.

    Args:
        budget_usd: most that the run may pay; None: no limit.
        price: of the model; None: not known.
        spent: what the run has paid already.
        model: named in errors.
        stepwise: let few requests go at first; a batch, whose answers come together, cannot.

    Raises:
        CommandError: a budget without a price.
        BudgetError: (from ``reserve``) the budget does not suffice for the call.
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
        self._spent = spent.cost_usd
        self._reserved: dict[str, float] = {}
        self._held = 0.0  # the sum of them: a batch reserves 50 000 calls one after another
        self._excess, self._came_back, self._stepwise = 0.0, 0, stepwise

    @property
    def priced(self) -> bool:
        """Whether the model's price is known."""
        return self._price is not None

    @property
    def spent_usd(self) -> float:
        """What the run has paid, before and now."""
        return self._spent

    def catch_up(self, spent_usd: float) -> None:
        """Count what the run has paid elsewhere: an annotator and an augmenter share a budget."""
        self._spent = max(self._spent, spent_usd)

    def reserve(self, key: str, call: Call, *, bought: bool = False) -> None:
        """Set aside the most that a call may cost.

        Args:
            key, call: which; a call that is reserved already is reserved anew.
            bought: it was sent by an earlier process: never refused, but reserved, so that
                what it will cost is not granted to others.

        Raises:
            BudgetError: if the budget, less what is paid and reserved, does not suffice.
        """
        if self._budget is None or self._price is None:
            return
        prompt = int(prompt_tokens(call) * MARGIN)
        most = self._price.cost_of(prompt, reply_limit(call))
        self._give_back(key)
        held = self._held + self._excess * len(self._reserved)
        early = self._stepwise and most > 0 and len(self._reserved) > self._came_back
        if not bought and (early or self._spent + held + most + self._excess > self._budget):
            raise BudgetError(
                f"spent ${self._spent:.4f} of the budget of ${self._budget:g}, and the next "
                f"request may cost ${most + self._excess:.6f}; all replies are kept: the same "
                "command with a higher --budget-usd goes on"
            )
        self._reserved[key] = most
        self._held += most

    def settle(self, key: str, billed: Reply | Usage | None) -> float:
        """Give the reservation back and count what an attempt cost, which is returned ($)."""
        reserved = self._give_back(key)
        self._came_back += 1
        if billed is None or self._price is None:
            return 0.0
        cost = self._price.cost(billed)
        self._spent += cost
        if reserved is not None:
            self._excess = max(self._excess, cost - reserved)
        return cost

    def _give_back(self, key: str) -> float | None:
        reserved = self._reserved.pop(key, None)
        held = self._held - (reserved or 0.0)
        self._held = held if self._reserved else 0.0  # what rounding left is gone with the last
        return reserved
