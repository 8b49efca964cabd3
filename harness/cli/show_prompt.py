"""What ``harness show prompt`` prints: what an annotator would send for one example."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.cli.session import say
from harness.data import Demonstrations, Pool
from harness.errors import CommandError, DataError

if TYPE_CHECKING:
    from harness.config import Config
    from harness.plugin_manager import Plugins
    from harness.protocols import Task

WIDTH = 80
"""Columns."""
BEGINS, GOES_ON = "| ", ": "


@dataclass(frozen=True, slots=True)
class _Shown:
    """The example, what it may be shown, and where both come from."""

    pool: Pool
    demonstrations: Demonstrations | None
    source: str


def print_prompt(
    config: Config, plugins: Plugins, data: Path | None, number: int, *, as_json: bool = False
) -> None:
    """Every message, with its role, and how the request is made. Nothing is sent.

    Without data the example is one of the task's generated demonstrations, shown the others.

    Args:
        config: task, annotator, demonstrations.
        plugins: where they come from.
        data: the folder of ``--data``, or None.
        number: which example of the training pool as the seed draws it, from 1.
        as_json: one JSON object, nothing wrapped.

    Raises:
        CommandError: if the annotator asks nobody in words, or there is no such example.
    """
    from harness import abilities
    from harness.run.assembly import annotator_of

    task, shown = _task_and_example(config, plugins, data, number)
    config, annotator = annotator_of(config, task, plugins)
    messages_of = abilities.messages(annotator)
    if messages_of is None:
        raise CommandError(
            f"annotator {config.annotator.spec!r} asks nobody in words; pass --annotator, "
            f"for instance {plugins.default('annotator')}"
        )
    described = abilities.describe(annotator)
    messages = messages_of(shown.pool, shown.demonstrations)[0]
    if as_json:
        chat = [{"role": role, "content": content} for role, content in messages]
        say(json.dumps({"messages": chat, "request": dict(described)}, ensure_ascii=False))
        return
    head = {
        "task": task.card.name,
        "annotator": config.annotator.spec,
        "example": shown.source,
        "demonstrations": _kinds(shown.demonstrations, abilities.writer(annotator) is not None),
    }
    for line in _page(head, described, messages):
        say(line)


def _task_and_example(
    config: Config, plugins: Plugins, data: Path | None, number: int
) -> tuple[Task, _Shown]:
    from harness.run.assembly import load_task
    from harness.run.splits import load_splits

    generated = config.demonstrations.generated
    try:
        task = load_task(config.task, plugins, data)
        pool = load_splits(task, inductive=False, limit=None, seed=config.seed).train.pool
    except DataError:
        task = load_task(config.task, plugins, data, declaration_only=True)
        if task.card.generated is None:
            raise
        pool = task.card.generated.examples
        shown = _without(task.card.generated, _row(number, pool))
        return task, _Shown(
            pool.take(np.asarray([number - 1])),
            shown if generated else None,
            f"{number} of {len(pool)} generated ones (the task's data is not at hand)",
        )
    row = _row(number, pool)
    return task, _Shown(
        pool.take(np.asarray([row])),
        task.card.generated if generated else None,
        f"{number} of {len(pool)} of the pool, as seed {config.seed} draws them",
    )


def _kinds(demonstrations: Demonstrations | None, writes: bool) -> str:
    """Which are shown here, and which a run shows."""
    here = "none" if demonstrations is None else "the nearest of the task's generated ones"
    own = "those that the annotator writes, then " if writes else ""
    return f"{here} (a run: {own}those that the selector trusts)"


def _row(number: int, pool: Pool) -> int:
    if not 1 <= number <= len(pool):
        raise CommandError(f"--example {number}: there are {len(pool)} examples")
    return number - 1


def _without(demonstrations: Demonstrations, row: int) -> Demonstrations:
    """All but one; of a sequence task, as generated demonstrations are."""
    kept = np.delete(np.arange(len(demonstrations)), row)
    return replace(
        demonstrations,
        examples=demonstrations.examples.take(kept),
        labels=demonstrations.labels[kept],
    )


def _page(
    head: Mapping[str, object],
    described: Mapping[str, object],
    messages: Sequence[tuple[str, str]],
) -> Iterator[str]:
    for key, value in {**head, **described}.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield from _wrapped(f"{key}: {text or 'none'}", "", "  ")
    for number, (role, content) in enumerate(messages, start=1):
        yield ""
        yield f"--- {number} {role} ".ljust(WIDTH, "-")
        for line in content.split("\n"):
            yield from _wrapped(line, BEGINS, GOES_ON)
    yield "-" * WIDTH
    yield f"{len(messages)} messages; {BEGINS.strip()!r} begins a line, {GOES_ON.strip()!r} goes on"


def _wrapped(line: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(
        line,
        WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
        drop_whitespace=True,
    ) or [first.rstrip()]
