"""Asks calls: what the cache has, then the sender for the rest; nothing is asked twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.protocols import Progress, no_progress
from harness_plugins.llm.calls import Call, Outcome, Reply, Spent, Usage, uncollected
from harness_plugins.llm.failures import RejectedError, SendingError, UnsupportedError
from harness_plugins.llm.send.breaker import Streak
from harness_plugins.llm.send.remedies import Remedy, remedy_for

if TYPE_CHECKING:
    from harness_plugins.llm.cache import ReplyCache, Stored
    from harness_plugins.llm.cost.meter import Meter
    from harness_plugins.llm.sender import Sender

LOOK_SECONDS = 0.1
"""Between two looks for the replies that another process is getting."""
PROGRESS_SECONDS = 0.1
"""Least time between two reports of progress."""


class Engine:
    """One way to ask one model, for the duration of a run.

    Args:
        run_id: who pays.
        payers: the runs that share its budget, itself among them.
        record: what of the run counts what is bought now; see ``Account``.
        optional: features on which nobody insists: they are changed or left out, from then on,
            if the server does not take them (``temperature``, ``response_format``, ...).
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
        payers: Sequence[str] = (),
        record: Callable[[], str] = lambda: "",
        optional: Collection[str] = (),
        note: Callable[[str], None] = lambda line: None,
        model: str | None = None,
    ) -> None:
        self._model = model
        self._sender, self._cache, self._meter = sender, cache, meter
        self._payers = payers or (run_id,)
        self._run_id, self._record, self._note = run_id, record, note
        self._optional = frozenset(optional)
        self._remedies: list[Remedy] = []
        self._streak = Streak()
        self._counted: set[str] = set()
        self._lost: dict[str, Spent] = {}
        self._waited = False

    def ask(self, calls: Sequence[Call], progress: Progress = no_progress) -> list[Outcome]:
        """What became of each call, in order.

        Equal calls are sent once, also by processes that share the cache. An outcome is ``paid``
        for one of them, once in an engine's life, and not where another record of the run counts
        it: the sum of what outcomes have ``spent`` is what the run has paid for them.

        Raises:
            ServiceError: if the service refuses for good.
            BudgetError: if the next request would pass the budget.
            RunError: if the cache cannot be used.
            KeyboardInterrupt: by a signal. In each case every reply received is kept.
        """
        answers: dict[str, Stored | SendingError] = {}
        asked = [self._remedied(call) for call in calls]
        while True:
            known = len(self._remedies)
            with uncollected():
                keys = [call.key for call in asked]
                answers.update(self._cache.find(set(keys) - answers.keys()))
            self._answer(keys, asked, answers, progress)
            if len(self._remedies) == known:
                with uncollected():
                    return self._outcomes(keys, answers)
            asked = [
                self._remedied(call) if isinstance(answers[key], SendingError) else call
                for key, call in zip(keys, asked, strict=True)
            ]

    def _answer(
        self,
        keys: Sequence[str],
        calls: Sequence[Call],
        answers: dict[str, Stored | SendingError],
        progress: Progress,
    ) -> None:
        """Get what is not in ``answers`` yet: send for it, or wait for who does."""
        missing = {key: call for key, call in zip(keys, calls, strict=True) if key not in answers}
        progress(len(calls) - len(missing), len(calls))
        pulse = _Pulse(progress, len(calls), len(missing))
        while missing:
            begun = time.monotonic()
            found, taken = self._cache.claim(missing.keys())
            answers.update(found)
            pulse.beat(len(found))
            mine = {k: call for k, call in missing.items() if k not in found and k not in taken}
            if mine:
                self._send(mine, answers, pulse)
            elif taken:
                self._wait(len(taken), time.monotonic() - begun)
            missing = {key: call for key, call in missing.items() if key not in answers}
        progress(len(calls), len(calls))

    def _wait(self, count: int, took: float) -> None:
        """Wait for ``count`` replies that another process is getting; a look took so long (s)."""
        if not self._waited:
            self._waited = True
            self._note(f"another run asks {count} of the same questions: waiting for its replies")
        time.sleep(max(LOOK_SECONDS, 20 * took))

    def _send(
        self, missing: dict[str, Call], answers: dict[str, Stored | SendingError], pulse: _Pulse
    ) -> None:
        keys, calls = list(missing), list(missing.values())

        def admit(index: int, *, bought: bool = False) -> None:
            if bought:
                self._meter.reserve(keys[index], calls[index], bought=True)
                return
            if (hopeless := self._streak.verdict()) is not None:
                raise hopeless
            for remedy in self._remedies:
                if remedy.changes(calls[index]):
                    raise UnsupportedError(remedy.feature, f"the server {remedy}")
            self._meter.reserve(keys[index], calls[index])

        def done(index: int, result: Reply | SendingError | Usage) -> None:
            key, call = keys[index], calls[index]
            if isinstance(result, Reply):
                self._streak.replied()
                cost = self._meter.settle(key, result)
                kept = replace(result, cost_usd=cost) if cost else result
                self._cache.put(key, call, kept, self._run_id, self._record())
                # Not with the next ones: for 10 microseconds more a killed process has it.
                answers.update(self._cache.commit())
            else:
                self._bill(key, result if isinstance(result, Usage) else result.usage)
                if isinstance(result, Usage):
                    return
                self._refused(result, call)
                self._cache.release(key)
                answers[key] = result
            pulse.beat()

        self._meter.catch_up(self._cache.spent(*self._payers).cost_usd)
        try:
            self._sender.send(calls, admit, done)
        finally:  # a signal may have come between the two
            answers.update(self._cache.commit())
            self._cache.release()
        last = answers.get(keys[-1])
        if isinstance(last, RejectedError) and (ended := self._streak.verdict(last)) is not None:
            raise ended

    def _bill(self, key: str, usage: Usage | None) -> None:
        cost = self._meter.settle(key, usage)
        if usage is not None:
            self._cache.lose(key, usage, cost, self._run_id, self._record())

    def _refused(self, failure: SendingError, call: Call) -> None:
        """Change what can be changed from now on; else count the refusal."""
        if isinstance(failure, UnsupportedError):
            if any(remedy.changes(call) for remedy in self._remedies):
                return
            if remedy := remedy_for(failure, call, self._optional, self._remedies):
                self._remedies.append(remedy)
                self._note(f"model {call.model!r} {remedy}")
                return
        if isinstance(failure, RejectedError):
            self._streak.refused(failure)

    def _remedied(self, call: Call) -> Call:
        if self._model is not None and call.model != self._model:
            call = replace(call, model=self._model)
        for remedy in self._remedies:
            call = remedy.applied(call)
        return call

    def _outcomes(
        self, keys: Sequence[str], answers: Mapping[str, Stored | SendingError]
    ) -> list[Outcome]:
        seen: set[str] = set()
        outcomes = [self._outcome(key, answers[key], seen) for key in keys]
        record = self._record()
        lost, before = self._cache.lost(self._run_id, record), self._lost.get(record, Spent())
        if outcomes and lost != before:
            self._lost[record] = lost
            outcomes[0] = replace(outcomes[0], lost=lost - before)
        return outcomes

    def _outcome(self, key: str, answer: Stored | SendingError, seen: set[str]) -> Outcome:
        if isinstance(answer, SendingError):
            return Outcome(None, str(answer))
        paid = (
            answer.run_id == self._run_id
            and answer.record in ("", self._record())  # else another record counts it
            and key not in self._counted
        )
        price = 0.0 if key in seen else answer.reply.cost_usd
        self._counted.add(key)
        seen.add(key)
        return Outcome(answer.reply, paid=paid, answer_usd=price)


class _Pulse:
    """Reports progress as replies come in, not more often than an eye can see."""

    def __init__(self, progress: Progress, total: int, missing: int) -> None:
        self._progress, self._total = progress, total
        self._done, self._next = total - missing, 0.0

    def beat(self, count: int = 1) -> None:
        self._done += count
        if (now := time.monotonic()) >= self._next:
            self._next = now + PROGRESS_SECONDS
            self._progress(min(self._done, self._total), self._total)
