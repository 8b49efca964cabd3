"""The ``mentions`` augmenter of token tasks: mentions give place to others of their type.

Mention replacement of Dai & Adel, "An Analysis of Simple Data Augmentation for Named Entity
Recognition" (COLING 2020): each mention is, with a fixed probability, replaced by another
one of the same type. Here only by one of the same number of tokens, so that tokens and
their labels stay in place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from harness.data import Annotations, IntArray, Pool
from harness.iob2 import spans_of
from harness.protocols import AugmenterRequest, Progress, Variants
from harness_plugins.augmenters.drawing import generator, rate_of
from harness_plugins.augmenters.token_edits import OutsideWords, sentences

RATE = 0.5
"""Share of the mentions that is replaced; Dai & Adel try 0.1 to 0.7 and choose by task."""
SHOWN = 1000


class Gazetteer:
    """All annotated mentions by type and number of tokens, drawn as often as they occur."""

    def __init__(self, pool: Pool, annotations: Annotations) -> None:
        counts: dict[tuple[int, int], Counter[tuple[str, ...]]] = {}
        for tokens, labels in sentences(pool, annotations):
            for begin, end, kind in spans_of(labels.tolist()):
                drawer = counts.setdefault((kind, end - begin), Counter())
                drawer[tokens[begin:end]] += 1
        self._mentions = {key: sorted(found) for key, found in counts.items()}
        self._places = {
            key: {mention: at for at, mention in enumerate(mentions)}
            for key, mentions in self._mentions.items()
        }
        self._sums = {
            key: np.cumsum([counts[key][mention] for mention in mentions])
            for key, mentions in self._mentions.items()
        }

    def another(
        self, mention: tuple[str, ...], kind: int, rng: np.random.Generator
    ) -> tuple[str, ...]:
        """Another mention of the type and length; the mention itself where there is none."""
        key = (kind, len(mention))
        mentions, sums = self._mentions[key], self._sums[key]
        at = self._places[key][mention]
        before = int(sums[at - 1]) if at else 0
        own = int(sums[at]) - before
        if own == sums[-1]:
            return mention
        drawn = int(rng.integers(int(sums[-1]) - own))
        drawn += own if drawn >= before else 0  # as if its own occurrences were not there
        return mentions[int(np.searchsorted(sums, drawn, side="right"))]


class MentionReplacement:
    """``mentions[:RATE]``, ``mentions:0.5,words=0.1``.

    Args:
        rate: share of the mentions that is replaced, in (0, 1].
        words: share of the words outside of mentions that is replaced, too (``word-edits``);
            else sentences without a mention stay as they are.
    """

    reads_labels = True

    def __init__(self, rate: float = RATE, words: float = 0.0) -> None:
        self._rate, self._words = rate, words

    @classmethod
    def from_request(cls, request: AugmenterRequest) -> MentionReplacement:
        """Read the rates from the spec.

        Raises:
            CommandError: if one is wrong.
        """
        request.spec.check_options("words")
        return cls(rate_of(request.spec, RATE), rate_of(request.spec, 0.0, "words"))

    def describe(self) -> Mapping[str, object]:
        """The rates."""
        return {"rate": self._rate, "words": self._words}

    def augment(
        self, pool: Pool, annotations: Annotations | None, seed: int, progress: Progress
    ) -> Variants:
        """A variant of each sentence; one without an answer stays as it is."""
        assert annotations is not None  # it says that it reads them
        gazetteer = Gazetteer(pool, annotations)
        words = OutsideWords(pool, annotations) if self._words else None
        examples = []
        for row, (tokens, labels) in enumerate(sentences(pool, annotations)):
            rng = generator(seed, pool.ids[row])
            new = self._replaced(tokens, labels, gazetteer, rng)
            if words is not None:
                new = words.replaced(new, labels, self._words, rng)
            examples.append(new)
            if row % SHOWN == 0:
                progress(row, len(pool))
        progress(len(pool), len(pool))
        return Variants(replace(pool, examples=examples))

    def _replaced(
        self,
        tokens: tuple[str, ...],
        labels: IntArray,
        gazetteer: Gazetteer,
        rng: np.random.Generator,
    ) -> tuple[str, ...]:
        new = list(tokens)
        for begin, end, kind in spans_of(labels.tolist()):
            if rng.random() < self._rate:
                new[begin:end] = gazetteer.another(tokens[begin:end], kind, rng)
        return tuple(new)
