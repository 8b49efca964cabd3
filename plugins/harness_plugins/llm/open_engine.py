"""Opens an engine: the cache of replies, the meter, and the sender that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from harness_plugins.llm.cache import ReplyCache
from harness_plugins.llm.calls import Spent
from harness_plugins.llm.cost.meter import Meter
from harness_plugins.llm.cost.prices import own_server, price_of
from harness_plugins.llm.engine import Engine
from harness_plugins.llm.send.refusals import retired
from harness_plugins.llm.send.remedies import LIMITS

if TYPE_CHECKING:
    from harness.protocols import Account
    from harness_plugins.llm.calls import Call
    from harness_plugins.llm.sender import Admit, Done, Sender
    from harness_plugins.llm.settings import LlmSettings


@contextmanager
def open_engine(settings: LlmSettings, account: Account) -> Iterator[Engine]:
    """An engine for the duration of a ``with`` block; connections and cache are closed after it.

    Raises:
        CommandError: if no key or server is set, or a budget and no price.
        ServiceError: if the cache cannot be used.
    """
    price = price_of(settings)
    if settings.base_url is None and (gone := retired(settings.model)):
        account.note(f"model {settings.model!r}: {gone}")
    sender = _Later(lambda: settings.service.open_sender(settings, account))
    if not account.replies.exists():
        # Nothing is recorded: errors are raised before any file is made.
        Meter(account.budget_usd, price, Spent(), settings.model)
        sender.made()
    with ExitStack() as stack:
        stack.callback(sender.close)
        cache = stack.enter_context(ReplyCache(account.replies))
        spent, stepwise = cache.spent(*account.payers), not settings.keys.batch
        meter = Meter(account.budget_usd, price, spent, settings.model, stepwise=stepwise)
        if account.budget_usd is not None and (why := own_server(settings)):
            account.note(why)
        if not meter.priced:
            account.note(
                f"no price is known for model {settings.model!r}: its cost counts as $0; "
                "annotator.price_input and annotator.price_output set it, or an augmenter's "
                "options of these names"
            )
        yield Engine(
            sender,
            cache,
            meter,
            run_id=account.run_id,
            payers=account.payers,
            record=account.record,
            optional=settings.optional | (LIMITS.keys() - settings.sampling.keys()),
            note=account.note,
            model=settings.versioned_model,
        )


class _Later:
    """A ``Sender`` made when something is first sent: what is recorded needs no key, no server."""

    def __init__(self, make: Callable[[], Sender]) -> None:
        self._make = make
        self._sender: Sender | None = None

    def made(self) -> Sender:
        if self._sender is None:
            self._sender = self._make()
        return self._sender

    def send(self, calls: Sequence[Call], admit: Admit, done: Done) -> None:
        self.made().send(calls, admit, done)

    def close(self) -> None:
        if self._sender is not None:
            self._sender.close()
