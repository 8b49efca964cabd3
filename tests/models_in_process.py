"""A language model of the tests' own: answers calls in this process, behind the real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from harness.protocols import Account
from harness_plugins.annotators.llm.annotator import Opener
from harness_plugins.llm.cache import ReplyCache
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.cost.meter import Meter
from harness_plugins.llm.cost.prices import Price
from harness_plugins.llm.engine import Engine
from harness_plugins.llm.failures import SendingError
from harness_plugins.llm.sender import Admit, Done
from harness_plugins.llm.settings import LlmSettings

__all__ = ["Model", "account", "opener"]

Answering = Callable[[Call], "Reply | SendingError | str"]


class Model:
    """Answers each call by a function, and remembers what it was asked."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.calls: list[Call] = []

    def send(self, calls: Sequence[Call], admit: Admit, done: Done) -> None:
        """Answer one after the other."""
        for index, call in enumerate(calls):
            try:
                admit(index)
            except SendingError as error:
                done(index, error)
                continue
            self.calls.append(call)
            said = self._answering(call)
            if isinstance(said, str):
                said = Reply(said, prompt_tokens=100, completion_tokens=len(said.split()))
            done(index, said)

    def close(self) -> None:
        """Nothing is held."""


def opener(model: Model) -> Opener:
    """Opens the real engine over a model, at $1 a million prompt and $2 a million reply tokens."""

    def open_(settings: LlmSettings, account: Account) -> AbstractContextManager[Engine]:
        return _engine(model, settings, account)

    return open_


@contextmanager
def _engine(model: Model, settings: LlmSettings, account: Account) -> Iterator[Engine]:
    with ReplyCache(account.replies) as cache:
        price = Price(1e-6, 2e-6, 1e-6)
        meter = Meter(account.budget_usd, price, cache.spent(account.run_id), settings.model)
        yield Engine(
            model,
            cache,
            meter,
            run_id=account.run_id,
            record=account.record,
            optional=settings.optional,
            note=account.note,
        )


def account(folder: Path, notes: list[str] | None = None, run_id: str = "run") -> Account:
    """A run that pays, with its replies in a folder."""
    said = notes if notes is not None else []
    return Account(run_id, folder / "replies.sqlite", None, said.append)
