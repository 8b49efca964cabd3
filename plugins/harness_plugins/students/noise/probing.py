"""The head that training begins with: a linear probe of the frozen encoder.

Linear probing, then fine-tuning (Kumar et al., "Fine-Tuning can Distort Pretrained Features
and Underperform Out-of-Distribution", ICLR 2022): the gradients of a random head distort the
encoder. A probed head starts near its optimum, so that two or three epochs suffice.
"""

from __future__ import annotations

import numpy as np
import torch

from harness.data import FloatArray, IntArray
from harness_plugins.students.noise.auto_clean import LITTLE
from harness_plugins.students.noise.transition import LabelNoise, estimate_transition
from harness_plugins.students.training import terms

FOLDS = 5
MOST = 20_000
"""Examples at most that a probe is fitted on, drawn by the seed."""
STEPS = 100
"""Of L-BFGS at most; the loss is convex without a transition matrix."""


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
        penalty: see ``linear_probe``.
        estimate: estimate how the annotator errs, by out-of-fold probes.
        correct: correct for it where at least ``LITTLE`` of the labels are wrong.
        seed: draws the folds, and the examples where there are more than ``MOST``.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(labels))[:MOST]
    features, labels, weights = _normalised(features[rows]), labels[rows], weights[rows]
    found = None
    if (estimate or correct) and len(labels) >= 2 * FOLDS:
        unseen = np.empty((len(labels), classes), dtype=np.float32)
        for fold in range(FOLDS):
            out = np.arange(len(labels)) % FOLDS == fold
            head = linear_probe(
                features[~out], labels[~out], weights[~out], classes=classes, penalty=penalty
            )
            unseen[out] = _log_softmax(features[out] @ head[0].T + head[1])
        found = estimate_transition(unseen, labels)
    wrong = None if found is None else float(1 - np.diag(found)[np.unique(labels)].mean())
    corrected = found if correct and wrong is not None and wrong >= LITTLE else None
    head = linear_probe(
        features, labels, weights, classes=classes, penalty=penalty, transition=corrected
    )
    return (*head, LabelNoise(corrected, wrong))


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
