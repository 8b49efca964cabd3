"""Whether what is said of some words agrees with what is said of them elsewhere (token tasks).

Ours. An annotator that overlooks a mention, or invents one, mostly says otherwise where the same
words occur again. What it always says of some words is never doubted here, right or wrong.
results/LOG.md has how much of simulated noise this finds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from harness.data import OUTSIDE, BoolArray, IntArray, Pool
from harness.iob2 import spans_of

OVERLOOKED = 1 / 2
"""Share of the other occurrences that are mentions above which an occurrence outside is doubted:
one mention elsewhere is enough where there is no other occurrence, as mentions are the
exception."""
INVENTED = 1 / 3
"""Share of the other occurrences that are mentions of its type below which a mention is doubted."""
FEWEST = 2
"""Other occurrences without which no mention is doubted."""
LONGEST = 16
"""Tokens; longer mentions are not compared: they hardly occur twice, and would take much time."""

Words: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of some words.

    Attributes:
        mentions: how often they are a mention, by type.
        outside: the first unit of each occurrence of which no token belongs to a mention.
    """

    mentions: Counter[int] = field(default_factory=Counter)
    outside: list[int] = field(default_factory=list)


def contradicted(pool: Pool, labels: IntArray) -> BoolArray:
    """bool ``[units]``: tokens of which other occurrences of the same words say otherwise.

    An occurrence outside is doubted where more than half of the others are mentions, a mention
    where there are at least two others and less than a third are mentions of its type. So all
    occurrences of words may be doubted, where the annotator says everything of them.
    Occurrences within a longer mention, or across the edge of one, say nothing of the words.
    Case does not matter: of words in titles and at the beginning of sentences more is found so
    than is lost by taking "US" for "us" (results/LOG.md).

    Args:
        pool: of sentences.
        labels: int ``[units]``, valid IOB2; ``ABSTAINED`` where there is no answer.
    """
    known: dict[str, str] = {}  # one string a word, however often it occurs
    sentences = [
        tuple(known.setdefault(word, word) for word in map(str.lower, tokens))
        for tokens in pool.tokens
    ]
    said = _mentions(sentences, labels, pool.offsets)
    _add_outside(said, sentences, labels, pool.offsets)
    doubted = np.zeros(len(labels), dtype=np.bool_)
    for words, found in said.items():
        mentions, others = found.mentions.total(), found.mentions.total() + len(found.outside) - 1
        if found.outside and mentions > OVERLOOKED * others:
            for begin in found.outside:
                doubted[begin : begin + len(words)] = True
    for begin, words, kind in _spans(sentences, labels, pool.offsets):
        found = said[words]
        others = found.mentions.total() + len(found.outside) - 1
        if others >= FEWEST and found.mentions[kind] - 1 < INVENTED * others:
            doubted[begin : begin + len(words)] = True
    return doubted


def _mentions(
    sentences: Sequence[Words], labels: IntArray, offsets: IntArray
) -> dict[Words, _Said]:
    said: defaultdict[Words, _Said] = defaultdict(_Said)
    for _, words, kind in _spans(sentences, labels, offsets):
        said[words].mentions[kind] += 1
    return dict(said)


def _spans(
    sentences: Sequence[Words], labels: IntArray, offsets: IntArray
) -> Iterator[tuple[int, Words, int]]:
    """The first unit, the words and the type of each mention that is not too long."""
    for first, tokens in zip(offsets.tolist(), sentences, strict=False):
        for begin, end, kind in spans_of(labels[first : first + len(tokens)].tolist()):
            if end - begin <= LONGEST:
                yield first + begin, tokens[begin:end], kind


def _add_outside(
    said: dict[Words, _Said], sentences: Sequence[Words], labels: IntArray, offsets: IntArray
) -> None:
    """Find the words of all mentions where they are outside."""
    beginnings = {words[:end] for words in said for end in range(1, len(words) + 1)}
    for first, tokens in zip(offsets.tolist(), sentences, strict=False):
        outside = (labels[first : first + len(tokens)] == OUTSIDE).tolist()
        for begin in range(len(tokens)):
            for end in range(begin + 1, len(tokens) + 1):
                words = tokens[begin:end]
                if not outside[end - 1] or words not in beginnings:
                    break
                if words in said:
                    said[words].outside.append(first + begin)
