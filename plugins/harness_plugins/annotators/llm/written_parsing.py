"""Reads the texts that a model wrote to order, with their labels or mentions, from its reply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from harness.data import Pool, TaskCard
from harness.iob2 import tags_of
from harness_plugins.annotators.llm.reading.alignment import align
from harness_plugins.annotators.llm.reading.json_values import json_values
from harness_plugins.annotators.llm.reading.labels import LabelReader
from harness_plugins.annotators.llm.reading.mentions import MentionReader
from harness_plugins.annotators.llm.reading.replies import answer_text
from harness_plugins.llm.calls import Reply

SEEN = 500
"""Sentences of the pool that show its tokenisation."""
_TEXT_KEYS = ("text", "sentence", "example", "content")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Manuscript:
    """One example: its text (to compare), the text or tokens, and a class index per unit."""

    text: str
    example: str | tuple[str, ...]
    labels: tuple[int, ...]


class Reader:
    """Reads replies to orders; sentences are split into tokens like those of the pool."""

    def __init__(self, task: TaskCard, pool: Pool) -> None:
        names = [label.name for label in task.labels]
        self._token = token_pattern(pool.tokens) if task.kind == "token" else None
        self._labels = LabelReader(names)
        self._mentions = MentionReader(names)

    def read(self, reply: Reply, label: int | None) -> Iterator[Manuscript]:
        """The usable texts of a reply to an order for ``label`` (None: without mentions)."""
        part = answer_text(reply.text, reply.finish)
        if isinstance(part, str):
            return
        for item in _items(part.text):
            text = item if isinstance(item, str) else _first(item, _TEXT_KEYS)
            if not isinstance(text, str) or not text.strip():
                continue
            text = " ".join(text.split())
            if self._token is None:
                made = self._labelled(text, item, label)
            else:
                made = self._marked(text, item)
            if made is not None:
                yield made

    def _labelled(self, text: str, item: Any, label: int | None) -> Manuscript | None:
        """A text with the ordered label, or with the one that the reply gives for it."""
        given = _first(item, ("label", "category"))
        if given is not None:
            label = self._labels.read(str(given)).label
        return None if label is None or label < 0 else Manuscript(text, text, (label,))

    def _marked(self, text: str, item: Any) -> Manuscript | None:
        """A sentence with its mentions, if it contains every one and the task has their types."""
        assert self._token is not None
        given = _first(item, ("mentions", "entities"))
        listed = None if given is None else self._mentions.listed(given)
        if listed is None or listed.unknown:
            return None
        tokens = tuple(self._token.findall(text))
        aligned = align(tokens, listed.mentions)
        if not tokens or aligned.missing or aligned.overlapping:
            return None
        return Manuscript(text, tokens, tags_of(aligned.spans, len(tokens)))


def token_pattern(sentences: Sequence[Sequence[str]]) -> re.Pattern[str]:
    """What is a token: words, punctuation; hyphens split words unless the pool has such words."""
    seen = islice(sentences, SEEN)
    joins = any(re.search(r"\w-\w", token) for tokens in seen for token in tokens)
    inner = r"[-.,:/&]" if joins else r"[.,]"
    return re.compile(
        rf"(?:\w\.){{2,}}|['’](?:s|re|ve|ll|d|m)\b|\w+(?:{inner}\w+)*|[^\w\s]", re.IGNORECASE
    )


def _items(text: str) -> list[Any]:
    """The elements of the list in a reply; where there is no JSON, its bulleted lines."""
    values = json_values(text)
    lists = [value for value in values if isinstance(value, list)]
    wrapped = [
        one
        for value in values
        if isinstance(value, dict)
        for one in value.values()
        if isinstance(one, list) and not set(value) & set(_TEXT_KEYS)
    ]
    found = [item for one in (lists or wrapped) for item in one]
    if found:
        return found
    objects = [value for value in values if isinstance(value, dict)]
    return objects or [line.strip("\"'“”") for line in _BULLET.findall(text)]


def _first(item: Any, keys: Sequence[str]) -> Any:
    if not isinstance(item, dict):
        return None
    return next((item[key] for key in keys if key in item), None)
