"""A run's labels as suggestions for people: the doubtful ones first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import DataError
from harness.export.labels import label_rows
from harness.protocols import Task
from harness.record.finished import FinishedRun
from harness.results import StageResult


@dataclass(frozen=True, slots=True)
class Span:
    """A mention: characters ``[start, end)`` of a text, and its type."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The label of one example.

    Attributes:
        id: of the example.
        text: token tasks: the tokens joined by spaces.
        label: a label, or the spans; None where the example has none.
        confidence: in [0, 1], or None.
        trusted: whether the selector believes it.
    """

    id: str
    text: str
    label: str | Sequence[Span] | None
    confidence: float | None
    trusted: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said of an example; ``place`` is where, for messages."""

    id: str
    label: str | Sequence[Span]
    place: str


def suggestions(run: FinishedRun, task: Task, stage: StageResult, most: int) -> list[Suggestion]:
    """The pool's labels after a stage; first what is not trusted, the least certain first.

    Args:
        run, task: of ``label_rows``.
        stage: that one.
        most: how many at most; 0: all.
    """
    rows = sorted(map(_suggestion, label_rows(run, task, stage)), key=_doubt)
    return rows[:most] if most else rows


def _doubt(one: Suggestion) -> tuple[bool, bool, float]:
    return one.label is not None, one.trusted, one.confidence or 0.0


def _suggestion(row: Mapping[str, Any]) -> Suggestion:
    label, text = row.get("label"), row.get("text")
    if "tokens" in row:
        text = " ".join(row["tokens"])
        label = None if row["tags"] is None else spans_of(row["tokens"], row["tags"])
    return Suggestion(row["id"], str(text), label, row["confidence"], row["trusted"])


def spans_of(tokens: Sequence[str], tags: Sequence[str]) -> list[Span]:
    """The mentions of IOB2 tags, in the tokens joined by single spaces."""
    found: list[Span] = []
    start = 0
    for token, tag in zip(tokens, tags, strict=True):
        prefix, _, kind = tag.partition("-")
        end = start + len(token)
        if prefix == "B":
            found.append(Span(start, end, kind))
        elif prefix == "I":
            found[-1] = Span(found[-1].start, end, kind)
        start = end + 1
    return found


def tags_of(tokens: Sequence[str], spans: Sequence[Span], place: str) -> list[str]:
    """IOB2 tags of spans in the joined tokens; a span takes every token that it touches.

    Raises:
        DataError: if two spans touch the same token, or one touches none.
    """
    tags, start = ["O"] * len(tokens), 0
    places = []
    for token in tokens:
        places.append((start, start + len(token)))
        start += len(token) + 1
    for span in sorted(spans, key=lambda one: one.start):
        touched = [k for k, (a, b) in enumerate(places) if a < span.end and span.start < b]
        if not touched or any(tags[k] != "O" for k in touched):
            raise DataError(
                f"{place}: the span {span.start}-{span.end} ({span.type}) "
                + ("overlaps another" if touched else "is outside of the text")
            )
        for k in touched:
            tags[k] = f"{'B' if k == touched[0] else 'I'}-{span.type}"
    return tags
