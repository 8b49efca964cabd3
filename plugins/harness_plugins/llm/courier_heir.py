"""What a courier does with replies whose process was killed: it keeps them in its place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness_plugins.llm.calls import Call, Reply
    from harness_plugins.llm.settings import LlmSettings

__all__ = ["Estate", "Heir", "Held"]


@dataclass(frozen=True, slots=True)
class Estate:
    """Whose replies are kept, and where.

    Attributes:
        settings: by which calls are sent, and priced.
        replies: the file.
        run_id: who pays.
    """

    settings: LlmSettings
    replies: Path
    run_id: str


@dataclass(frozen=True, slots=True)
class Held:
    """A reply of which nobody has said that it is kept.

    Attributes:
        call: what was asked.
        record: of the run, which was current when it was asked.
        reply: its cost is still 0.
    """

    call: Call
    record: str
    reply: Reply


class Heir:
    """Writes replies into the cache as the process that asked for them would have.

    Args:
        estate: whose.

    Raises:
        RunError: if the file cannot be used.
    """

    def __init__(self, estate: Estate) -> None:
        # Here, as a courier that is never an heir needs none of it.
        from harness_plugins.llm.cache import ReplyCache
        from harness_plugins.llm.prices import price_of

        self._run_id = estate.run_id
        self._price = price_of(estate.settings)
        self._cache = ReplyCache(estate.replies)

    def __enter__(self) -> Heir:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cache.close()

    def keep(self, held: Collection[Held]) -> None:
        """Write those that are not there: the process may have kept some and died before it
        could say so.

        Raises:
            RunError: if the file cannot be written.
        """
        keys = [one.call.key for one in held]
        known = self._cache.find(keys).keys()
        for key, one in zip(keys, held, strict=True):
            if key not in known:
                cost = self._price.cost(one.reply) if self._price else 0.0
                reply = replace(one.reply, cost_usd=cost) if cost else one.reply
                self._cache.put(key, one.call, reply, self._run_id, one.record)
        self._cache.commit()
