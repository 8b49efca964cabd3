"""Asks calls: what the cache has, then the sender for the rest; nothing is asked twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.protocols import Progress, no_progress
from harness_plugins.llm.calls import Call, Outcome, Reply, canonical
from harness_plugins.llm.collecting import uncollected
from harness_plugins.llm.failures import SendingError, UnsupportedError

if TYPE_CHECKING:
    from harness_plugins.llm.cache import ReplyCache, Stored
    from harness_plugins.llm.cost.meter import Meter
    from harness_plugins.llm.sender import Sender

PROGRESS_SECONDS = 0.1
"""Least time between two reports of progress."""


class Engine:
    """One way to ask one model, for the duration of a run.

    Args:
        sender: gets replies that the cache does not have.
        cache: every reply ever received.
        meter: cost and budget.
        run_id: who pays.
        record: what of the run counts what is bought now; see ``Account``.
        optional: features that are left out, from then on, if the server does not know them
            (``temperature``, ``response_format``, a parameter's name).
        note: says one line to the user.
        model: what calls name as their model, if not what they were made with: a local
            model's name with a hash of its files.
    """

    def __init__(
        self,
        sender: Sender,
        cache: ReplyCache,
        meter: Meter,
        *,
        run_id: str,
        record: Callable[[], str] = lambda: "",
        optional: Collection[str] = (),
        note: Callable[[str], None] = lambda line: None,
        model: str | None = None,
    ) -> None:
        self._model = model
        self._sender, self._cache, self._meter = sender, cache, meter
        self._run_id, self._record, self._note = run_id, record, note
        self._optional = frozenset(optional)
        self._left_out: set[str] = set()
        self._counted: set[str] = set()

    def ask(self, calls: Sequence[Call], progress: Progress = no_progress) -> list[Outcome]:
        """What became of each call, in order.

        Equal calls are sent once. An outcome is ``paid`` for one of them, once in an engine's
        life, and not where another record of the run counts it: the sum over outcomes is
        what the run has paid for them.

        Raises:
            ServiceError: if the service refuses for good.
            BudgetError: if the next request would pass the budget.
            RunError: if the cache cannot be used.
            KeyboardInterrupt: by a signal. In each case every reply received is kept.
        """
        answers: dict[str, Stored | SendingError] = {}
        asked = [self._simplified(call) for call in calls]
        while True:
            known = len(self._left_out)
            with uncollected():
                keys = [call.key for call in asked]
                answers.update(self._cache.find(set(keys) - answers.keys()))
            self._answer(keys, asked, answers, progress)
            if len(self._left_out) == known:
                with uncollected():
                    return [self._outcome(key, answers[key]) for key in keys]
            asked = [
                self._simplified(call) if isinstance(answers[key], SendingError) else call
                for key, call in zip(keys, asked, strict=True)
            ]

    def _answer(
        self,
        keys: Sequence[str],
        calls: Sequence[Call],
        answers: dict[str, Stored | SendingError],
        progress: Progress,
    ) -> None:
        """Send for what is not in ``answers`` yet."""
        missing = {key: call for key, call in zip(keys, calls, strict=True) if key not in answers}
        progress(len(calls) - len(missing), len(calls))
        if missing:
            self._send(missing, answers, _Pulse(progress, len(calls), len(missing)))
            progress(len(calls), len(calls))

    def _send(
        self, missing: dict[str, Call], answers: dict[str, Stored | SendingError], pulse: _Pulse
    ) -> None:
        keys, calls = list(missing), list(missing.values())

        def admit(index: int, *, bought: bool = False) -> None:
            for feature in self._left_out:
                if not bought and _uses(calls[index], feature):
                    raise UnsupportedError(feature, f"the server does not know {feature}")
            self._meter.reserve(keys[index], calls[index], bought=bought)

        def done(index: int, result: Reply | SendingError) -> None:
            key, call = keys[index], calls[index]
            reply = result if isinstance(result, Reply) else None
            cost = self._meter.settle(key, reply)
            if reply is None:
                self._learn(result, call)
                answers[key] = result  # type: ignore[assignment]
            else:
                kept = replace(reply, cost_usd=cost) if cost else reply
                self._cache.put(key, call, kept, self._run_id, self._record())
                # Not with the next ones: for 10 microseconds more a killed process has it.
                answers.update(self._cache.commit())
            pulse.beat()

        self._meter.catch_up(self._cache.spent(self._run_id).cost_usd)
        try:
            self._sender.send(calls, admit, done)
        finally:  # a signal may have come between the two
            answers.update(self._cache.commit())

    def _learn(self, failure: object, call: Call) -> None:
        """Leave a feature out from now on, if nobody insists on it."""
        if not isinstance(failure, UnsupportedError) or failure.feature not in self._optional:
            return
        if failure.feature not in self._left_out and _uses(call, failure.feature):
            self._left_out.add(failure.feature)
            self._note(f"model {call.model!r} does not know {failure.feature}: it is left out")

    def _simplified(self, call: Call) -> Call:
        if self._model is not None and call.model != self._model:
            call = replace(call, model=self._model)
        for feature in self._left_out:
            call = _leave_out(call, feature)
        return call

    def _outcome(self, key: str, answer: Stored | SendingError) -> Outcome:
        if isinstance(answer, SendingError):
            return Outcome(None, str(answer))
        paid = (
            answer.run_id == self._run_id
            and answer.record in ("", self._record())  # else another record counts it
            and key not in self._counted
        )
        self._counted.add(key)
        return Outcome(answer.reply, paid=paid)


class _Pulse:
    """Reports progress as replies come in, not more often than an eye can see."""

    def __init__(self, progress: Progress, total: int, missing: int) -> None:
        self._progress, self._total = progress, total
        self._done, self._next = total - missing, 0.0

    def beat(self) -> None:
        self._done += 1
        if (now := time.monotonic()) >= self._next:
            self._next = now + PROGRESS_SECONDS
            self._progress(min(self._done, self._total), self._total)


def _uses(call: Call, feature: str) -> bool:
    if feature == "response_format":
        return bool(call.response_format)
    return feature in json.loads(call.parameters)


def _leave_out(call: Call, feature: str) -> Call:
    if not _uses(call, feature):
        return call
    if feature == "response_format":
        return replace(call, response_format="")
    parameters = json.loads(call.parameters)
    del parameters[feature]
    return replace(call, parameters=canonical(parameters))
