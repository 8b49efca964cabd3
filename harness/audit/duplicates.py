"""Which texts count as the same: keys of texts, and the test rows that occur in train."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from harness.data import BoolArray, Pool

Keys = npt.NDArray[np.uint64]


def exact_key(text: str) -> str:
    """The text without its case and its spacing."""
    return " ".join(text.casefold().split())


def near_key(text: str) -> str:
    """The letters, marks and digits of the text alone, without case.

    Spacing goes, too: "wo n't" and "won't" are near-duplicates. A text of punctuation alone
    keeps its exact key, so that such texts stay different.
    """
    return text.casefold().translate(_KEPT) or exact_key(text)


class _Kept(dict[int, int | None]):
    """Characters that ``near_key`` keeps, looked up once each (``str.translate``)."""

    def __missing__(self, character: int) -> int | None:
        kept = unicodedata.category(chr(character))[0] in "LMN"
        self[character] = character if kept else None
        return self[character]


_KEPT = _Kept()


def keys_of(texts: Iterable[str], key: Callable[[str], str]) -> Keys:
    """uint64 ``[n]``: a hash of each text's key.

    Numbers in place of texts: a million take 8 MB, and among them two different texts
    collide with a probability of about 3e-8.
    """
    return np.fromiter((_number(key(text)) for text in texts), dtype=np.uint64)


def leaked(train: Pool, test: Pool) -> BoolArray:
    """bool ``[len(test)]``: True where the test text, by ``near_key``, occurs in train."""
    return np.isin(keys_of(test.texts, near_key), keys_of(train.texts, near_key))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
