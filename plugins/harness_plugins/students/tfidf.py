"""The ``tfidf`` student: logistic regression on word and character n-grams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import Annotations, FloatArray, IntArray, Pool, StudentView
from harness.protocols import Aids, Progress, StudentRequest
from harness_plugins.students.candidates import shares_of, spread

ABSENT = -30.0
"""Logit of a class without a training example (probability about 1e-13)."""
C = 10.0
"""Inverse regularisation strength of the logistic regression."""
WIDTH = 100
"""Width of the embeddings: a truncated SVD of the features."""
VIEWS: Mapping[str, Mapping[str, Any]] = {
    "word": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "char": {"analyzer": "char_wb", "ngram_range": (2, 4)},
}


class TfidfStudent:
    """Trains in seconds on any machine, without encoder, augmentation or epochs."""

    exports = False

    def __init__(self, classes: int) -> None:
        self._classes = classes

    @classmethod
    def from_request(cls, request: StudentRequest) -> TfidfStudent:
        """Takes no argument, option or key."""
        request.spec.no_argument()
        request.spec.check_options()
        return cls(len(request.task.classes))

    def describe(self) -> dict[str, object]:
        """The settings with which it works."""
        return {"C": C, "width": WIDTH, "device": "cpu"}

    def fit(
        self, pool: Pool, annotations: Annotations, seed: int, progress: Progress, aids: Aids
    ) -> FittedTfidf:
        """Fit features on the whole pool and the classifier on the answered examples."""
        from sklearn.decomposition import TruncatedSVD

        texts = list(pool.texts)
        fitted = {name: _fitted(name, texts) for name in VIEWS}
        vectorizers = {name: one for name, one in fitted.items() if one is not None}
        progress(1, 3)
        features = _features(vectorizers, texts)
        rows, said = spread(annotations)
        rows, said = rows[said.answered], said.take(np.flatnonzero(said.answered))
        example = np.unique(list(pool.ids), return_inverse=True)[1]
        shares = shares_of(example[rows], said.confidence)
        weights, bias = self._classifier(features[rows], said.labels, shares)
        progress(2, 3)
        width = max(1, min(WIDTH, features.shape[1] - 1, features.shape[0] - 1))
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # texts that are all alike have no variance
            svd = TruncatedSVD(width, random_state=seed).fit(features)
        progress(3, 3)
        return FittedTfidf(vectorizers, weights, bias, svd.components_.T)

    def _classifier(
        self, features: Any, labels: IntArray, shares: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Weights ``[width, classes]`` and bias ``[classes]`` of labels that count by shares."""
        from sklearn.linear_model import LogisticRegression

        present = np.unique(labels)
        weights = np.zeros((features.shape[1], self._classes))
        bias = np.full(self._classes, ABSENT)
        if len(present) == 1:
            bias[present] = 0.0
            return weights, bias
        model = LogisticRegression(C=C, solver="newton-cg").fit(features, labels, shares)
        coefficients, intercept = model.coef_, model.intercept_
        if len(present) == 2:  # scikit-learn keeps one row for two classes
            coefficients = np.vstack([-coefficients / 2, coefficients / 2])
            intercept = np.concatenate([-intercept / 2, intercept / 2])
        weights[:, present] = coefficients.T
        bias[present] = intercept
        return weights, bias

    def load(self, folder: Path) -> FittedTfidf:
        """Read back a saved model."""
        from safetensors.numpy import load_file

        tensors = load_file(folder / "tfidf.safetensors")
        vocabularies = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        vectorizers = {name: _vectorizer(name, words=words) for name, words in vocabularies.items()}
        for name, vectorizer in vectorizers.items():
            vectorizer.idf_ = tensors[f"{name}.idf"]
        return FittedTfidf(vectorizers, tensors["weights"], tensors["bias"], tensors["projection"])


class FittedTfidf:
    """A trained ``tfidf`` student."""

    def __init__(
        self,
        vectorizers: Mapping[str, Any],
        weights: FloatArray,
        bias: FloatArray,
        projection: FloatArray,
    ) -> None:
        self._vectorizers = vectorizers
        self._weights, self._bias, self._projection = weights, bias, projection

    def view(self, pool: Pool, progress: Progress) -> StudentView:
        """Probabilities, predictions and embeddings of a pool."""
        features = _features(self._vectorizers, list(pool.texts))
        logits = features @ self._weights + self._bias
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        progress(len(pool), len(pool))
        return StudentView(
            log_probabilities=log_probabilities.astype(np.float32),
            predictions=logits.argmax(axis=1).astype(np.int32),
            embeddings=np.asarray(features @ self._projection, dtype=np.float32),
            offsets=pool.offsets,
        )

    def save(self, folder: Path) -> None:
        """Write ``tfidf.safetensors`` and ``vocabulary.json``."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        tensors = {"weights": self._weights, "bias": self._bias, "projection": self._projection}
        for name, vectorizer in self._vectorizers.items():
            tensors[f"{name}.idf"] = vectorizer.idf_
        save_file(
            {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
            folder / "tfidf.safetensors",
        )
        vocabularies = {
            name: sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
            for name, vectorizer in self._vectorizers.items()
        }
        (folder / "vocabulary.json").write_text(json.dumps(vocabularies), encoding="utf-8")


def _fitted(name: str, texts: Sequence[str]) -> Any | None:
    """A vectorizer of what two texts have in common, else of all; None where there is nothing.

    Scripts without spaces repeat no word, and emoji are none: there characters remain.
    """
    for least in (2, 1):
        with suppress(ValueError):  # an empty vocabulary
            return _vectorizer(name, least).fit(texts)
    return None


def _vectorizer(name: str, least: int = 1, words: Sequence[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(**VIEWS[name], sublinear_tf=True, min_df=least, vocabulary=words)


def _features(vectorizers: Mapping[str, Any], texts: Sequence[str]) -> Any:
    from scipy.sparse import hstack

    return hstack([one.transform(texts) for one in vectorizers.values()], format="csr")
