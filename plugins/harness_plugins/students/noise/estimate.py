"""How many labels are wrong: what two models say that have not seen them, and the annotator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data import Annotations, FloatArray, IntArray

FOLDS = 5
NGRAMS: Sequence[Mapping[str, Any]] = (
    {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\w+|[^\w\s]"},
    {"analyzer": "char_wb", "ngram_range": (2, 4)},
)
C = 10.0
"""Inverse regularisation strength of the logistic regression on them."""
ABSENT = -30.0
"""Log probability of a class that no label names."""


@dataclass(frozen=True, slots=True)
class WrongLabels:
    """Shares of all labels that look wrong, in [0, 1].

    Two models of other features, an encoder's probe and n-grams, have not seen the label. Errors
    that follow from the text they learn and repeat; texts that are hard for both look wrong.

    Attributes:
        least: both say another label, and the same one.
        most: by how often each two of the three agree; right if all three err independently of
            each other, and alike in every class (Fu et al., "Fast and Three-rious", ICML 2020).
        doubted: mean of 1 - confidence, as the annotator says itself; None: it says nothing.
    """

    least: float
    most: float
    doubted: float | None = None

    @property
    def likely(self) -> float:
        """One number: between the two, or what the annotator doubts, if that is more."""
        return max((self.least + self.most) / 2, self.doubted or 0.0)


def wrong_labels(
    probes: FloatArray, words: FloatArray, labels: IntArray, doubted: float | None
) -> WrongLabels:
    """Compare labels with what two models say, each class divided by how frequent it is.

    Args:
        probes: log probabilities, float ``[n, classes]``, out-of-fold.
        words: the same of another model, ``[m, classes]`` of the first m.
        labels: int ``[n]``, the annotator's.
        doubted: see ``WrongLabels``.
    """
    classes = probes.shape[1]
    shares = log_shares(labels, classes)
    labels = labels[: len(words)]
    first, second = ((one - shares).argmax(axis=1) for one in (probes[: len(words)], words))
    least = float(((first == second) & (first != labels)).mean())
    ours, theirs = _agreement(labels, first, classes), _agreement(labels, second, classes)
    both = _agreement(first, second, classes)
    right = math.sqrt(min(1.0, ours * theirs / both)) if both > 0 else 0.0
    return WrongLabels(least, max(least, (1 - right) * (1 - 1 / classes)), doubted)


def _agreement(first: IntArray, second: IntArray, classes: int) -> float:
    """How often two agree, scaled so that chance is 0; at least that."""
    return max(0.0, (float((first == second).mean()) - 1 / classes) / (1 - 1 / classes))


def doubts(annotations: Annotations) -> float | None:
    """Mean of 1 - confidence over the answers that have one."""
    given = annotations.confidence[annotations.answered]
    return None if np.isnan(given).all() else float(1 - np.nanmean(given))


def unseen_by_words(texts: Sequence[str], labels: IntArray, classes: int) -> FloatArray:
    """Log probabilities of n-gram models that have not seen a text's label, ``[n, classes]``."""
    from sklearn.linear_model import LogisticRegression

    features = _ngrams(texts)
    unseen = np.full((len(labels), classes), ABSENT, dtype=np.float32)
    for out in folds(len(labels)):
        rows = np.delete(np.arange(len(labels)), out)
        present = np.unique(labels[rows])
        if len(present) == 1:
            unseen[np.ix_(out, present)] = 0.0
            continue
        model = LogisticRegression(C=C, solver="newton-cg").fit(features[rows], labels[rows])
        unseen[np.ix_(out, present)] = model.predict_log_proba(features[out])
    return unseen


def _ngrams(texts: Sequence[str]) -> Any:
    """A sparse matrix: TF-IDF of words and characters that two texts have, or else one."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    for least in (2, 1):
        made = [TfidfVectorizer(**one, sublinear_tf=True, min_df=least) for one in NGRAMS]
        with suppress(ValueError):  # no two texts have anything in common
            return make_union(*made).fit_transform(texts)
    raise ValueError("texts without any character")


def folds(examples: int) -> list[IntArray]:
    """Rows of each fold."""
    return [np.arange(fold, examples, FOLDS) for fold in range(FOLDS)]


def log_shares(labels: IntArray, classes: int) -> FloatArray:
    """Log share of each class among labels, float32; 0 of one that no label names: rare classes
    are raised by it, and nothing speaks for those that are never named."""
    counts = np.bincount(labels, minlength=classes)
    shares = np.where(counts, counts / max(1, len(labels)), 1.0)
    return np.asarray(np.log(shares), dtype=np.float32)
