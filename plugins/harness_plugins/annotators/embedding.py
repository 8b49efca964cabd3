"""The ``embedding`` annotator: sentence embeddings in place of an LLM.

Zero-shot, a text gets the label to whose name and description its cosine is largest.
With demonstrations every label has support sentences: name, description, generated
demonstrations, and from the second round on those of the student's feedback. A
class-balanced ridge regression from their features to one-hot labels (closed form,
as in regularised discriminant analysis) scores each text; the demonstrations retrieved
for that text add a vote, the mean cosine of those of each label.

The features are the sentence embedding and that of the encoder's middle layer: the last layer
was trained for a text's topic; the middle one keeps its wording, which distinguishes kinds of
question or of opinion. The method is ours; results/LOG.md has the comparisons.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.data import (
    ABSTAINED,
    Annotations,
    Demonstrations,
    FloatArray,
    IntArray,
    Pool,
    TaskCard,
)
from harness.errors import CommandError
from harness.protocols import AnnotatorRequest, Progress, no_progress
from harness_plugins.encoders import PACKAGED
from harness_plugins.sentences import FINAL, sentence_encoder

MIDDLE = 3
"""The middle one of the encoder's six layers."""
RIDGE = 1.0
"""Ridge penalty, in units of squared embedding length."""
VOTE = 0.25
"""Weight of the vote of the retrieved demonstrations against the regression's score."""
CHUNK = 8192
"""Texts whose similarities are held in memory at a time."""
SOFTNESS = 0.1
"""Margin at which the confidence of two classes is logistic(1) = 0.73."""


class EmbeddingAnnotator:
    """Labels by similarity.

    Args:
        task: whose label descriptions are embedded.
        threshold: it abstains where the margin between the best and the second label is smaller
            (scores lie about in [-0.5, 1]).
    """

    needs_gold: Literal[False] = False

    def __init__(self, task: TaskCard, threshold: float = 0.0) -> None:
        self._task, self._threshold = task, threshold
        self._known: dict[str, FloatArray] = {}

    @classmethod
    def from_request(cls, request: AnnotatorRequest) -> EmbeddingAnnotator:
        """``embedding`` or ``embedding,threshold=MARGIN``."""
        request.spec.no_argument()
        request.spec.check_options("threshold")
        threshold = request.spec.option("threshold", 0.0, float)
        if not 0 <= threshold < np.inf:
            raise CommandError(f"{request.spec}: the threshold is a number of at least 0")
        return cls(request.task, threshold)

    def describe(self) -> dict[str, object]:
        """The settings with which it works."""
        return {
            "encoder": PACKAGED,
            "layers": [FINAL, MIDDLE],
            "ridge": RIDGE,
            "vote": VOTE,
            "threshold": self._threshold,
        }

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress
    ) -> Annotations:
        """Label each text by its scores; abstain where the margin is under the threshold."""
        texts = self._features(list(pool.texts), progress)
        if demonstrations is None:
            scores = self._cosines(_sentences(texts))
        else:
            scores = self._regression(pool, texts, demonstrations)
            if demonstrations.nearest is not None:
                shown = self._features(list(demonstrations.examples.texts), no_progress)
                labels, nearest = demonstrations.labels, demonstrations.nearest
                classes = scores.shape[1]
                votes = vote(_sentences(texts), _sentences(shown), labels, nearest, classes)
                scores = np.asarray(scores + VOTE * votes)
        best = scores.argmax(axis=1).astype(np.int32)
        margins = _margins(scores)
        unsure = margins < self._threshold
        return Annotations.of(
            np.where(unsure, ABSTAINED, best),
            pool.offsets,
            confidence=confidences(margins, scores.shape[1]),
            reasons=["the margin is under the threshold" if low else "" for low in unsure],
        )

    def _regression(
        self, pool: Pool, texts: FloatArray, demonstrations: Demonstrations
    ) -> FloatArray:
        """Scores by regression; an example among the demonstrations is left out of its own."""
        support, labels = self._support(demonstrations)
        classes = len(self._task.labels)
        scores = ridge_scores(texts, support, labels, classes)
        shown = {id_: row for row, id_ in enumerate(demonstrations.examples.ids)}
        first = 2 * classes  # names and descriptions come before the demonstrations
        for row, id_ in enumerate(pool.ids):
            if id_ in shown:
                kept = np.delete(np.arange(len(labels)), first + shown[id_])
                own = texts[row : row + 1]
                scores[row] = ridge_scores(own, support[kept], labels[kept], classes)[0]
        return scores

    def _cosines(self, texts: FloatArray) -> FloatArray:
        """Zero-shot: mean cosine to each label's name and description, ``[n, classes]``."""
        names = self._features([label.name for label in self._task.labels], no_progress)
        described = self._features([label.description for label in self._task.labels], no_progress)
        return np.asarray(texts @ (_sentences(names) + _sentences(described)).T / 2)

    def _support(self, demonstrations: Demonstrations) -> tuple[FloatArray, IntArray]:
        """Features and labels of every support sentence."""
        sentences = [label.description for label in self._task.labels]
        sentences += [label.name for label in self._task.labels]
        labels = [*range(len(self._task.labels))] * 2
        sets = [demonstrations]
        if demonstrations.source == "trusted" and self._task.generated is not None:
            # Feedback is added to the first demonstrations, which stay.
            sets.append(self._task.generated)
        for given in sets:
            sentences += given.examples.texts
            labels += given.labels.tolist()
        return self._features(sentences, no_progress), np.asarray(labels, dtype=np.int64)

    def _features(self, texts: list[str], progress: Progress) -> FloatArray:
        """float32 ``[n, 2 · width]``: sentence embedding, then the middle layer's.

        Each text is computed once.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            found = sentence_encoder().embed(new, progress, layers=(FINAL, MIDDLE))
            self._known.update(zip(new, found, strict=True))
        return np.stack([self._known[text] for text in texts])


def _sentences(features: FloatArray) -> FloatArray:
    """The sentence embeddings among the features."""
    return features[:, : features.shape[1] // 2]


def ridge_scores(
    texts: FloatArray, support: FloatArray, labels: IntArray, classes: int
) -> FloatArray:
    """Class-balanced ridge regression to one-hot labels: float ``[n, classes]``.

    ``B = (X'WX + RIDGE I)^-1 X'W(Y - 1/C)`` with X centred and W giving each class the
    same weight; a text scores ``(x - mean) B``. Each class needs a support sentence.
    Solved in the smaller of its two forms: ``B = X'(WXX' + RIDGE I)^-1 W(Y - 1/C)`` with
    fewer sentences than features.
    """
    counts = np.bincount(labels, minlength=classes)
    weights = (len(labels) / classes / counts[labels])[:, None]
    centre = support.mean(axis=0)
    x = (support - centre).astype(np.float64)
    y = np.eye(classes)[labels] - 1 / classes
    if len(x) < x.shape[1]:
        kernel = weights * (x @ x.T) + RIDGE * np.eye(len(x))
        solved = x.T @ np.linalg.solve(kernel, weights * y)
    else:
        gram = (weights * x).T @ x + RIDGE * np.eye(x.shape[1])
        solved = np.linalg.solve(gram, (weights * x).T @ y)
    return np.asarray((texts - centre) @ solved)


def vote(
    texts: FloatArray, shown: FloatArray, labels: IntArray, nearest: IntArray, classes: int
) -> FloatArray:
    """Mean cosine to the retrieved demonstrations of each class, less the row's mean.

    float ``[n, classes]``; a class of which none was retrieved gets the row's lowest value.
    """
    present = nearest >= 0
    cosines = np.empty(nearest.shape)
    for start in range(0, len(texts), CHUNK):
        rows = slice(start, start + CHUNK)
        similarity = texts[rows] @ shown.T
        cosines[rows] = np.take_along_axis(similarity, np.maximum(nearest[rows], 0), axis=1)
    sums = np.zeros((len(texts), classes))
    counts = np.zeros((len(texts), classes))
    targets = np.broadcast_to(np.arange(len(texts))[:, None], nearest.shape)[present]
    columns = labels[nearest[present]]
    np.add.at(sums, (targets, columns), cosines[present])
    np.add.at(counts, (targets, columns), 1)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    found = np.asarray((counts > 0).any(axis=1))
    lowest = np.where(found, np.nanmin(np.where(found[:, None], means, 0), axis=1), 0)
    means = np.where(np.isnan(means), lowest[:, None], means)
    return np.asarray(means - means.mean(axis=1, keepdims=True))


def confidences(margins: FloatArray, classes: int) -> FloatArray:
    """From 1/classes, chance, where there is no margin, to 1: of two classes its logistic."""
    above = np.tanh(margins / (2 * SOFTNESS))
    return np.asarray(1 / classes + (1 - 1 / classes) * above, dtype=np.float32)


def _margins(scores: FloatArray) -> FloatArray:
    top = np.sort(scores, axis=1)
    return np.asarray(top[:, -1] - top[:, -2])
