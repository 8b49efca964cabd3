"""Token tasks: whether occurrences of the same words have the same labels.

Ours. An annotator that overlooks or invents a mention mostly labels the same words otherwise where
they occur again. An error that it always makes is not found. results/LOG.md has how much of
simulated noise this finds.
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
"""Share of mentions among the other occurrences above which an occurrence outside is contradicted;
mentions are the exception, so a single other occurrence suffices if it is one."""
INVENTED = 1 / 3
"""Share of mentions of its type among the others below which a mention is contradicted."""
FEWEST = 2
"""Other occurrences that it takes to contradict a mention."""
LONGEST = 16
"""Tokens; longer mentions hardly occur twice, and comparing them would take long."""

Words: TypeAlias = tuple[str, ...]
Sentences: TypeAlias = Sequence[tuple[int, Words]]
"""The first unit of each sentence, and its words in small letters."""


@dataclass(frozen=True, slots=True)
class _Labelled:
    """The labels of some words.

    Attributes:
        mentions: how often they are a mention, by type.
        outside: the first unit of each occurrence without a token of a mention.
    """

    mentions: Counter[int] = field(default_factory=Counter)
    outside: list[int] = field(default_factory=list)

    @property
    def others(self) -> int:
        """Occurrences besides the one that is compared."""
        return self.mentions.total() + len(self.outside) - 1


def contradicted(pool: Pool, labels: IntArray) -> BoolArray:
    """bool ``[units]``: tokens whose label other occurrences of the same words contradict.

    An occurrence outside is contradicted where more than half of the others are mentions, a
    mention where there are at least two others and less than a third are mentions of its type. So
    all occurrences of words with inconsistent labels may be contradicted. Occurrences within a
    longer mention, or across its edge, do not count. Case is ignored: words in titles and at the
    start of sentences gain more than taking "US" for "us" loses (results/LOG.md).

    Args:
        pool: of sentences.
        labels: int ``[units]``, valid IOB2; ``ABSTAINED`` where there is no answer.
    """
    known: dict[str, str] = {}  # one string for each word, however often it occurs
    sentences = [
        (first, tuple(known.setdefault(word, word) for word in map(str.lower, tokens)))
        for first, tokens in zip(pool.offsets.tolist(), pool.tokens, strict=False)
    ]
    spans = list(_spans(sentences, labels))
    labelled: defaultdict[Words, _Labelled] = defaultdict(_Labelled)
    for _, words, kind in spans:
        labelled[words].mentions[kind] += 1
    _add_outside(labelled, sentences, labels)
    wrong = np.zeros(len(labels), dtype=np.bool_)
    for words, found in labelled.items():
        if found.outside and found.mentions.total() > OVERLOOKED * found.others:
            for begin in found.outside:
                wrong[begin : begin + len(words)] = True
    for begin, words, kind in spans:
        found = labelled[words]
        if found.others >= FEWEST and found.mentions[kind] - 1 < INVENTED * found.others:
            wrong[begin : begin + len(words)] = True
    return wrong


def _spans(sentences: Sentences, labels: IntArray) -> Iterator[tuple[int, Words, int]]:
    """The first unit, the words and the type of each mention that is not too long."""
    for first, tokens in sentences:
        for begin, end, kind in spans_of(labels[first : first + len(tokens)].tolist()):
            if end - begin <= LONGEST:
                yield first + begin, tokens[begin:end], kind


def _add_outside(labelled: dict[Words, _Labelled], sentences: Sentences, labels: IntArray) -> None:
    """Add the occurrences outside of the words of all mentions."""
    beginnings = {words[:end] for words in labelled for end in range(1, len(words) + 1)}
    for first, tokens in sentences:
        outside = (labels[first : first + len(tokens)] == OUTSIDE).tolist()
        for begin in range(len(tokens)):
            for end in range(begin + 1, len(tokens) + 1):
                words = tokens[begin:end]
                if not outside[end - 1] or words not in beginnings:
                    break
                if words in labelled:
                    labelled[words].outside.append(first + begin)
