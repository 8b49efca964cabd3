"""Token tasks: ``mentions`` and ``word-edits`` replace tokens, so that labels stay in place.

Dai & Adel, "An Analysis of Simple Data Augmentation for Named Entity Recognition" (COLING 2020).
Mention replacement: a mention is replaced by another one of its type; ours: and of the same
number of tokens. Label-wise token replacement, of the label O alone; ours: only lower-case words
of some length are replaced, by words with the same ending. Words that occur in a mention anywhere
in the pool are neither replaced nor drawn, so that a mention that the annotator overlooked does
not spread.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np

from harness.data import OUTSIDE, Annotations, IntArray, Pool
from harness.iob2 import spans_of
from harness.protocols import AugmenterRequest, Progress, Variants
from harness_plugins.augmenters.drawing import Frequencies, rate_of, varied

MENTIONS = 0.5
"""Share of the mentions that is replaced; Dai & Adel try 0.1 to 0.7 and choose by task."""
WORDS = 0.1
"""Share of the words that ``word-edits`` replaces."""
SHORTEST = 4
"""Letters: shorter words are mostly function words."""
ENDING = 3
"""Letters of the ending that two words share: mostly the same form of the same part of speech."""

Tokens: TypeAlias = tuple[str, ...]


class TokenEdits:
    """Replaces shares, in [0, 1], of the mentions and of the plain words outside of them."""

    reads_labels = True

    def __init__(self, mentions: float, words: float) -> None:
        self._mentions, self._words = mentions, words

    @classmethod
    def of_mentions(cls, request: AugmenterRequest) -> TokenEdits:
        """``mentions[:RATE][,words=RATE]``."""
        request.spec.check_options("words")
        return cls(rate_of(request.spec, MENTIONS), rate_of(request.spec, 0.0, "words"))

    @classmethod
    def of_words(cls, request: AugmenterRequest) -> TokenEdits:
        """``word-edits[:RATE]`` in a token task."""
        request.spec.check_options()
        return cls(0.0, rate_of(request.spec, WORDS))

    def describe(self) -> Mapping[str, object]:
        """The rates."""
        return {"mentions": self._mentions, "words": self._words}

    def augment(
        self, pool: Pool, annotations: Annotations | None, seed: int, progress: Progress
    ) -> Variants:
        """A variant of each sentence; one without an answer stays as it is."""
        assert annotations is not None  # since ``reads_labels``
        mentions = _mentions(pool, annotations)
        words = _outside_words(pool, annotations)
        known = {word for own in words.values() for word in own}
        by_type, by_ending = Frequencies(mentions), Frequencies(words)

        def vary(sentence: tuple[Tokens, IntArray], rng: np.random.Generator) -> Tokens:
            tokens, labels = sentence
            new = list(tokens)
            for begin, end, kind in spans_of(labels.tolist()) if self._mentions else ():
                if rng.random() < self._mentions:
                    old = tokens[begin:end]
                    new[begin:end] = by_type.draw_other((kind, end - begin), old, rng)
            if self._words:
                drawn = rng.random(len(tokens))
                for at in np.flatnonzero((drawn < self._words) & (labels == OUTSIDE)):
                    if tokens[at] in known:
                        new[at] = by_ending.draw(tokens[at][-ENDING:], rng)
            return tuple(new)

        return varied(pool, _sentences(pool, annotations), vary, seed, progress)


def _mentions(pool: Pool, annotations: Annotations) -> dict[tuple[int, int], Counter[Tokens]]:
    """All annotated mentions by type and number of tokens."""
    found: defaultdict[tuple[int, int], Counter[Tokens]] = defaultdict(Counter)
    for tokens, labels in _sentences(pool, annotations):
        for begin, end, kind in spans_of(labels.tolist()):
            found[kind, end - begin][tokens[begin:end]] += 1
    return found


def _outside_words(pool: Pool, annotations: Annotations) -> dict[str, Counter[str]]:
    """The plain words that occur in no mention, by their endings."""
    outside: Counter[str] = Counter()
    inside: set[str] = set()
    for tokens, labels in _sentences(pool, annotations):
        for token, label in zip(tokens, labels, strict=True):
            if label > OUTSIDE:
                inside.add(token.lower())
            elif label == OUTSIDE and _plain(token):
                outside[token] += 1
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for token, count in outside.items():
        if token not in inside:
            found[token[-ENDING:]][token] = count
    return found


def _sentences(pool: Pool, annotations: Annotations) -> Iterator[tuple[Tokens, IntArray]]:
    spans = zip(annotations.offsets[:-1].tolist(), annotations.offsets[1:].tolist(), strict=True)
    for tokens, (begin, end) in zip(pool.tokens, spans, strict=True):
        yield tokens, annotations.labels[begin:end]


def _plain(token: str) -> bool:
    return len(token) >= SHORTEST and token.isalpha() and token.islower()
