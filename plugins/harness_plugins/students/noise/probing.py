"""The head that training begins with: a linear probe of the frozen encoder.

Linear probing, then fine-tuning (Kumar et al., "Fine-Tuning can Distort Pretrained Features
and Underperform Out-of-Distribution", ICLR 2022): the gradients of a random head distort the
encoder. A probed head starts near its optimum, so that two or three epochs suffice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from harness.data import BoolArray, FloatArray, IntArray
from harness_plugins.students.noise.transition import LabelNoise, estimate_transition
from harness_plugins.students.training import terms

FOLDS = 5
MOST = 20_000
"""Examples at most that a probe is fitted on, drawn by the seed."""
STEPS = 100
"""Of L-BFGS at most; the loss is convex."""
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Tried where labels may be wrong: the more of them are, the higher the best one."""
KEPT = 0.2
"""Share of the labels of each class that is kept at least."""


def first_head(
    features: FloatArray,
    labels: IntArray,
    weights: FloatArray,
    *,
    classes: int,
    penalty: float,
    estimate: bool,
    correct: bool,
    seed: int,
) -> tuple[FloatArray, FloatArray, LabelNoise]:
    """Weights float32 ``[classes, width]``, bias float32 ``[classes]``, and the labels' noise.

    Args:
        features: float ``[n, width]``, embeddings by the frozen encoder; standardised to mean 0
            and variance 1, as a ``mean`` head reads them.
        labels: int ``[n]``, class indices.
        weights: float ``[n]``, how much each label counts.
        penalty: see ``linear_probe``; with ``correct`` the best of ``PENALTIES`` instead.
        estimate: estimate how many labels are wrong, by out-of-fold probes.
        correct: fit the head on the labels that an out-of-fold probe confirms (``agreeing``).
        seed: draws the folds, and the examples where there are more than ``MOST``.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(labels))[:MOST]
    data = _normalised(features[rows]), labels[rows], weights[rows]
    found, kept = None, np.ones(len(rows), dtype=np.bool_)
    if (estimate or correct) and len(rows) >= 2 * FOLDS:
        tried = PENALTIES if correct else (penalty,)
        penalty, unseen = _best_unseen(*data, classes, tried)
        found = estimate_transition(unseen, data[1])
        if correct:
            kept = agreeing(unseen, data[1])
    head, bias = linear_probe(*(one[kept] for one in data), classes=classes, penalty=penalty)
    if correct:
        bias = bias - _log_shares(data[1][kept], classes)
    wrong = None if found is None else float(1 - np.diag(found)[np.unique(data[1])].mean())
    return head, bias, LabelNoise(None, wrong)


def agreeing(log_probabilities: FloatArray, labels: IntArray) -> BoolArray:
    """bool ``[n]``: labels that a model confirms which has not seen them.

    The model's probabilities are divided by how frequent each label is: what an annotator says
    too often is not confirmed for being frequent. Of each class the ``KEPT`` with the largest
    margins stay in any case.

    Args:
        log_probabilities: float ``[n, classes]``, out-of-fold.
        labels: int ``[n]``, the annotator's.
    """
    lifts = log_probabilities - _log_shares(labels, log_probabilities.shape[1])
    at = np.arange(len(labels))
    own = lifts[at, labels]
    lifts[at, labels] = -np.inf
    margins = own - lifts.max(axis=1)
    kept = margins > 0
    for one in np.unique(labels):
        rows = np.flatnonzero(labels == one)
        best = np.argsort(-margins[rows], kind="stable")[: math.ceil(KEPT * len(rows))]
        kept[rows[best]] = True
    return np.asarray(kept)


def _best_unseen(
    features: FloatArray,
    labels: IntArray,
    weights: FloatArray,
    classes: int,
    penalties: Sequence[float],
) -> tuple[float, FloatArray]:
    """The penalty whose probes find labels that they have not seen most probable, and the
    out-of-fold log probabilities, float32 ``[n, classes]``, of these probes."""
    best = (-math.inf, penalties[0], np.empty(0, dtype=np.float32))
    fold = np.arange(len(labels)) % FOLDS
    for penalty in penalties:
        unseen = np.empty((len(labels), classes), dtype=np.float32)
        for out in (fold == one for one in range(FOLDS)):
            fit = features[~out], labels[~out], weights[~out]
            head, bias = linear_probe(*fit, classes=classes, penalty=penalty)
            unseen[out] = _log_softmax(features[out] @ head.T + bias)
        likelihood = float(np.average(unseen[np.arange(len(labels)), labels], weights=weights))
        best = max(best, (likelihood, penalty, unseen), key=lambda one: one[0])
    return best[1:]


def _log_shares(labels: IntArray, classes: int) -> FloatArray:
    """Log share of each class among labels, float32; one that is not there: as of one label."""
    counts = np.maximum(1, np.bincount(labels, minlength=classes))
    return np.asarray(np.log(counts / len(labels)), dtype=np.float32)


def linear_probe(
    features: FloatArray,
    labels: IntArray,
    weights: FloatArray,
    *,
    classes: int,
    penalty: float,
    transition: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Softmax regression: float32 ``[classes, width]`` and ``[classes]``.

    Minimises the weighted mean of (forward-corrected) cross-entropy plus ``penalty`` times
    the sum of squares of the weights.

    Args:
        features: float ``[n, width]``.
        labels: int ``[n]``.
        weights: float ``[n]``.
        classes: number of classes; one that no label names gets a low bias by the loss.
        penalty: of the squared weights.
        transition: float ``[classes, classes]``, see ``terms.forward_cross_entropy``.
    """
    read = torch.from_numpy(np.asarray(features, dtype=np.float32))
    targets = torch.nn.functional.one_hot(torch.from_numpy(labels), classes).float()
    counts = torch.from_numpy(np.asarray(weights, dtype=np.float32))
    confused = None if transition is None else torch.from_numpy(transition)
    head = torch.zeros(classes, features.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([head, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        logits = read @ head.T + bias
        losses = (
            terms.cross_entropy(logits, targets)
            if confused is None
            else terms.forward_cross_entropy(logits, targets, confused)
        )
        loss = (counts * losses).mean() + penalty * (head**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(objective)  # type: ignore[no-untyped-call]
    return head.detach().numpy(), bias.detach().numpy()


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _normalised(features: FloatArray) -> FloatArray:
    centred = features - features.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-6))
