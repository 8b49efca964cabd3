"""The prompts of a run's pool, rendered anew from its records: a run does not record them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from harness import abilities
from harness.data import Demonstrations, IntArray, Pool
from harness.errors import HarnessError
from harness.plugin_manager import Plugins
from harness.protocols import Parts, Task
from harness.record import codecs, layout
from harness.record.finished import FinishedRun
from harness.run.assembly import assemble_for, checked
from harness.run.feedback import Feedback, believe, drawing

MOST = 2_000
"""Examples whose prompts a page has: the first demonstrations are retrieved by a text encoder."""

Chat: TypeAlias = Sequence[tuple[str, str]]
"""The (role, content) messages of a request."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """The last request for each of the first examples of a pool; empty where none was sent."""

    chats: Sequence[Chat]

    def packed(self, texts: Sequence[str]) -> dict[str, Any]:
        """Each message once, and which ones a row has; NUL stands for the example's own text."""
        place: dict[str, int] = {}
        rows = []
        for chat, text in zip(self.chats, texts, strict=False):
            said = [f"{role}: {content}" for role, content in chat]
            if said and text:
                said[-1] = said[-1].replace(text, "\0", 1)
            rows.append([place.setdefault(one, len(place)) for one in said])
        return {"messages": list(place), "rows": rows}


def prompts_of(run: FinishedRun, task: Task, pool: Pool, plugins: Plugins) -> Prompts | None:
    """None for an annotator that sends no messages, or would send others today."""
    try:
        _, parts = assemble_for(checked(run.config, plugins), task, plugins)
    except HarnessError:
        return None
    messages_of = abilities.messages(parts.annotator)
    recorded = run.result.provenance.get("identities", {}).get("annotator")
    if messages_of is None or parts.identities.get("annotator") != recorded:
        return None
    chats: list[Chat] = [()] * min(MOST, len(pool))
    for rows, shown in _asked(run, task, pool, parts):
        for row, chat in zip(rows.tolist(), messages_of(pool.take(rows), shown), strict=True):
            chats[row] = chat
    return Prompts(chats)


def _asked(
    run: FinishedRun, task: Task, pool: Pool, parts: Parts
) -> Iterator[tuple[IntArray, Demonstrations | None]]:
    """By round the rows that were asked about then for the last time, and what was shown."""
    last = np.full(len(pool), -1)
    for round_ in range(run.config.rounds):
        last[run.asked(round_)] = round_
    last[MOST:] = -1
    if (last == 0).any():
        yield np.flatnonzero(last == 0), _first(run, task)
    for round_ in range(1, run.config.rounds):
        requested = run.selection(round_ - 1).requested
        kept = np.flatnonzero(last[requested] == round_)
        if len(kept):
            shown = _chosen(run, round_, task, pool, parts)
            nearest = None if shown is None or shown.nearest is None else shown.nearest[kept]
            yield requested[kept], None if shown is None else replace(shown, nearest=nearest)


def _first(run: FinishedRun, task: Task) -> Demonstrations | None:
    """Those of the first round: written, or the task's."""
    if not run.config.demonstrations.generated:
        return None
    if not run.folder.recorded(layout.WRITTEN):
        return task.card.generated
    codec = codecs.written_codec(task.card.kind, task.card.classes)
    written = run.folder.read(layout.WRITTEN, codec.read)[0].demonstrations
    return written if len(written) else None


def _chosen(
    run: FinishedRun, round_: int, task: Task, pool: Pool, parts: Parts
) -> Demonstrations | None:
    """Those of a later round, for all that were requested."""
    made, view = run.annotations(round_ - 1, pool, task), run.feedback(round_ - 1)
    selection = run.selection(round_ - 1)
    assert made is not None  # the page has read it
    believed = believe(made, view, selection.trusted)
    none = np.zeros(len(pool), dtype=np.int64)
    feedback = Feedback(believed, {"train": view}, selection, none)
    rng = drawing(run.config.seed, round_, pool)
    return feedback.demonstrations(pool, pool, task.card, parts.demonstrations, rng)
