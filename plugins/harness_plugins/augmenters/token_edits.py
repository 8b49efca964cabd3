"""Token tasks: tokens outside of mentions, replaced by others of the same shape.

Label-wise token replacement of Dai & Adel, "An Analysis of Simple Data Augmentation for
Named Entity Recognition" (COLING 2020), for the label O alone. Ours: only lower-case words
of some length take part, a word gives place to one with the same ending, and words that
occur in a mention anywhere in the pool are neither replaced nor drawn: a mention that the
annotator overlooked shall not spread.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from harness.data import OUTSIDE, Annotations, IntArray, Pool
from harness.protocols import AugmenterRequest, Progress, Variants
from harness_plugins.augmenters.drawing import generator, rate_of

RATE = 0.1
SHORTEST = 4
"""Letters: shorter words are mostly those that hold a sentence together."""
ENDING = 3
"""Letters of the ending that two words share: mostly the same form of the same part of speech."""
SHOWN = 1000


class OutsideWords:
    """The words outside of mentions by their endings, drawn as often as they occur."""

    def __init__(self, pool: Pool, annotations: Annotations) -> None:
        outside: Counter[str] = Counter()
        inside: set[str] = set()
        for tokens, labels in sentences(pool, annotations):
            for token, label in zip(tokens, labels, strict=True):
                if label > OUTSIDE:
                    inside.add(token.lower())
                elif label == OUTSIDE and _plain(token):
                    outside[token] += 1
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for token in sorted(outside):
            if token not in inside:
                groups[token[-ENDING:]].append(token)
        self._words = {ending: tuple(words) for ending, words in groups.items()}
        self._sums = {
            ending: np.cumsum([outside[word] for word in words])
            for ending, words in self._words.items()
        }
        self._known = frozenset(word for words in self._words.values() for word in words)

    def replaced(
        self, tokens: tuple[str, ...], labels: IntArray, rate: float, rng: np.random.Generator
    ) -> tuple[str, ...]:
        """A sentence with about ``rate`` of its plain words outside of mentions replaced."""
        drawn = rng.random(len(tokens))
        new = list(tokens)
        for at in np.flatnonzero((drawn < rate) & (labels == OUTSIDE)):
            if tokens[at] in self._known:
                new[at] = self._another(tokens[at], rng)
        return tuple(new)

    def _another(self, word: str, rng: np.random.Generator) -> str:
        words, sums = self._words[word[-ENDING:]], self._sums[word[-ENDING:]]
        return words[int(np.searchsorted(sums, rng.integers(sums[-1]), side="right"))]


class TokenEdits:
    """``word-edits[:RATE]`` of a token task; see the module.

    Args:
        rate: share of the words that can be replaced, in (0, 1].
    """

    reads_labels = True

    def __init__(self, rate: float = RATE) -> None:
        self._rate = rate

    @classmethod
    def from_request(cls, request: AugmenterRequest) -> TokenEdits:
        """Read the rate from the spec.

        Raises:
            CommandError: if it is wrong, or options are given.
        """
        request.spec.check_options()
        return cls(rate_of(request.spec, RATE))

    def describe(self) -> Mapping[str, object]:
        """The rate."""
        return {"rate": self._rate}

    def augment(
        self, pool: Pool, annotations: Annotations | None, seed: int, progress: Progress
    ) -> Variants:
        """A variant of each sentence; one without an answer stays as it is."""
        assert annotations is not None  # it says that it reads them
        words = OutsideWords(pool, annotations)
        examples = []
        for row, (tokens, labels) in enumerate(sentences(pool, annotations)):
            rng = generator(seed, pool.ids[row])
            examples.append(words.replaced(tokens, labels, self._rate, rng))
            if row % SHOWN == 0:
                progress(row, len(pool))
        progress(len(pool), len(pool))
        return Variants(replace(pool, examples=examples))


def sentences(pool: Pool, annotations: Annotations) -> Iterator[tuple[tuple[str, ...], IntArray]]:
    """Tokens and class indices of each sentence."""
    spans = zip(annotations.offsets[:-1].tolist(), annotations.offsets[1:].tolist(), strict=True)
    for tokens, (begin, end) in zip(pool.tokens, spans, strict=True):
        yield tokens, annotations.labels[begin:end]


def _plain(token: str) -> bool:
    return len(token) >= SHORTEST and token.isalpha() and token.islower()
