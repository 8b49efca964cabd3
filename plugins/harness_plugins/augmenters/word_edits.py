"""The ``word-edits`` augmenter of texts: words deleted, swapped and misspelt at random.

Wei & Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks" (EMNLP 2019), without its synonyms, which need a thesaurus. Ours: typos;
only neighbours are swapped; negations and the like are never deleted; punctuation and spacing
stay in place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from harness.data import Annotations, Pool
from harness.errors import CommandError, nearest
from harness.protocols import AugmenterRequest, Progress, Variants
from harness_plugins.augmenters.drawing import rate_of, varied

RATE = 0.1
"""Share of a text's words that is edited: EDA's alpha for most sizes of data (table 3)."""
EDITS = ("delete", "swap", "typo")
KEPT = frozenset(
    {
        *("no", "not", "nor", "never", "neither", "none", "nothing", "nobody", "nowhere"),
        *("without", "hardly", "barely", "scarcely", "cannot", "few", "little", "less", "least"),
        *("too", "but", "although", "despite", "instead"),
    }
)
"""Words that are never deleted, nor words that end in n't: a label may depend on them."""
WORD = re.compile(r"\w+(?:['’\-]\w+)*")
SHORTEST_TYPO = 4
"""Letters of the shortest word that is misspelt: its first and last letter stay."""


class WordEdits:
    """Edits a share, in (0, 1], of each text's words, one at least; kinds are drawn evenly."""

    def __init__(self, rate: float = RATE, edits: tuple[str, ...] = EDITS) -> None:
        self._rate, self._edits = rate, edits

    @classmethod
    def from_request(cls, request: AugmenterRequest) -> WordEdits:
        """``word-edits[:RATE][,edits=delete+swap+typo]``."""
        spec = request.spec
        spec.check_options("edits")
        edits = tuple(spec.options.get("edits", "+".join(EDITS)).split("+"))
        for edit in edits:
            if edit not in EDITS:
                raise CommandError(f"{spec}: no edit {edit!r}; {nearest(edit, EDITS)}")
        return cls(rate_of(spec, RATE), edits)

    def describe(self) -> Mapping[str, object]:
        """Rate and kinds of edit."""
        return {"rate": self._rate, "edits": list(self._edits)}

    def augment(
        self, pool: Pool, annotations: Annotations | None, seed: int, progress: Progress
    ) -> Variants:
        """An edited variant of each text; a text without words stays as it is."""
        return varied(pool, pool.texts, self._edited, seed, progress)

    def _edited(self, text: str, rng: np.random.Generator) -> str:
        words = WORD.findall(text)
        gaps = WORD.split(text)  # one more than words: before, between and after them
        for _ in range(max(1, round(self._rate * len(words)))):
            possible = [edit for edit in self._edits if _places(edit, words)]
            if not possible:
                break
            edit = possible[int(rng.integers(len(possible)))]
            places = _places(edit, words)
            _apply(edit, words, gaps, places[int(rng.integers(len(places)))], rng)
        return gaps[0] + "".join(map(str.__add__, words, gaps[1:]))


def _places(edit: str, words: list[str]) -> list[int]:
    if edit == "delete":
        return [at for at, word in enumerate(words) if not _kept(word)] if len(words) > 1 else []
    if edit == "swap":
        return [at for at in range(len(words) - 1) if words[at] != words[at + 1]]
    return [at for at, word in enumerate(words) if _typos(word)]


def _apply(edit: str, words: list[str], gaps: list[str], at: int, rng: np.random.Generator) -> None:
    if edit == "swap":
        words[at], words[at + 1] = words[at + 1], words[at]
    elif edit == "typo":
        places = _typos(words[at])
        k = places[int(rng.integers(len(places)))]
        word = words[at]
        words[at] = word[:k] + word[k + 1] + word[k] + word[k + 2 :]
    else:
        del words[at]
        gaps[at : at + 2] = [_closed(gaps[at], gaps[at + 1])]


def _closed(before: str, after: str) -> str:
    """What stays between two words when the word between them goes: punctuation and one space."""
    if not before:
        return after.lstrip()
    return before.rstrip() + after


def _typos(word: str) -> list[int]:
    """Where two inner letters can be swapped."""
    if len(word) < SHORTEST_TYPO or not word.isalpha():
        return []
    return [k for k in range(1, len(word) - 2) if word[k] != word[k + 1]]


def _kept(word: str) -> bool:
    lower = word.lower().replace("’", "'")
    return lower in KEPT or lower.endswith("n't")
