"""Counts what a run pays, and holds it under its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import BudgetError, CommandError
from harness_plugins.llm.cost.tokens import prompt_tokens, reply_limit

if TYPE_CHECKING:
    from harness_plugins.llm.cache import Spent
    from harness_plugins.llm.calls import Call, Reply
    from harness_plugins.llm.cost.prices import Price

MARGIN = 1.1
"""On the counted prompt: a server may put more around a chat, or count by other tokens."""


class Meter:
    """Reserves what each call may cost at most before it is sent, and settles afterwards.

    A request that times out or breaks off may be on the vendor's bill without a reply to
    read its cost from: such requests are not counted.

    Args:
        budget_usd: most that the run may pay; None: no limit.
        price: of the model; None: not known.
        spent: what the run has paid already.
        model: named in errors.

    Raises:
        CommandError: a budget without a price.
        BudgetError: (from ``reserve``) the budget does not suffice for the call.
    """

    def __init__(
        self, budget_usd: float | None, price: Price | None, spent: Spent, model: str
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
        if not bought and self._spent + self._held + most > self._budget:
            raise BudgetError(
                f"spent ${self._spent:.4f} of the budget of ${self._budget:g}, and the next "
                f"request may cost ${most:.6f}; all replies are kept: the same command with "
                "a higher --budget-usd goes on"
            )
        self._reserved[key] = most
        self._held += most

    def settle(self, key: str, reply: Reply | None) -> float:
        """Give the reservation back and count the reply's cost, which is returned ($)."""
        self._give_back(key)
        if reply is None or self._price is None:
            return 0.0
        cost = self._price.cost(reply)
        self._spent += cost
        return cost

    def _give_back(self, key: str) -> None:
        held = self._held - self._reserved.pop(key, 0.0)
        self._held = held if self._reserved else 0.0  # what rounding left is gone with the last
