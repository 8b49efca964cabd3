"""The head that training begins with: a linear probe of the frozen encoder.

Linear probing, then fine-tuning (Kumar et al., "Fine-Tuning can Distort Pretrained Features
and Underperform Out-of-Distribution", ICLR 2022): the gradients of a random head distort the
encoder. A probed head starts near its optimum, so that two or three epochs suffice.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch

from harness.data import BoolArray, FloatArray, IntArray
from harness_plugins.students.noise.estimate import folds, log_shares
from harness_plugins.students.training import terms

STEPS = 100
"""Of L-BFGS at most; the loss is convex."""
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Tried where labels may be wrong, from the highest on, which is fitted soonest, until it gets
worse: the more labels are wrong, the higher the best one."""
FLAT = 1e-4
"""A dimension with a smaller deviation is the same in all texts, and stays as it is."""
KEPT = 0.2
"""Share of the labels of each class that is kept at least."""


class Unseen(NamedTuple):
    """What probes say of texts whose labels they have not seen.

    Attributes:
        penalty: of ``PENALTIES`` the one whose probes find these labels most probable.
        log_probabilities: float32 ``[n, classes]``.
    """

    penalty: float
    log_probabilities: FloatArray


def first_head(
    features: FloatArray,
    labels: IntArray,
    weights: FloatArray,
    *,
    classes: int,
    penalty: float,
    unseen: Unseen | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Weights float32 ``[classes, width]`` and bias float32 ``[classes]``.

    Args:
        features: float ``[n, width]``, each row with variance 1, or each column.
        labels: int ``[n]``, class indices.
        weights: float ``[n]``, how much each label counts.
        classes: number of classes.
        penalty: see ``linear_probe``.
        unseen: the head is fitted on the labels that these probes confirm (``agreeing``), with
            their penalty, and for classes that are equally frequent; None: on all, as they are.
    """
    if unseen is None:
        return linear_probe(features, labels, weights, classes=classes, penalty=penalty)
    kept = agreeing(unseen.log_probabilities, labels)
    fit = features[kept], labels[kept], weights[kept]
    head, bias = linear_probe(*fit, classes=classes, penalty=unseen.penalty)
    return head, bias - log_shares(labels[kept], classes)


def unseen_by_probes(
    features: FloatArray, labels: IntArray, weights: FloatArray, classes: int
) -> Unseen:
    """Fit probes out-of-fold; arguments as of ``first_head``."""
    best = (-math.inf, Unseen(PENALTIES[0], np.empty((0, classes), dtype=np.float32)))
    for penalty in PENALTIES:
        found = np.empty((len(labels), classes), dtype=np.float32)
        for out in folds(len(labels)):
            kept = np.delete(np.arange(len(labels)), out)
            fit = features[kept], labels[kept], weights[kept]
            head, bias = linear_probe(*fit, classes=classes, penalty=penalty)
            found[out] = _log_softmax(features[out] @ head.T + bias)
        likelihood = float(np.average(found[np.arange(len(labels)), labels], weights=weights))
        if likelihood < best[0]:
            break
        best = (likelihood, Unseen(penalty, found))
    return best[1]


def agreeing(log_probabilities: FloatArray, labels: IntArray) -> BoolArray:
    """bool ``[n]``: labels that a model confirms which has not seen them.

    The model's probabilities are divided by how frequent each label is: what an annotator says
    too often is not confirmed for being frequent. Of each class the ``KEPT`` with the largest
    margins stay in any case.

    Args:
        log_probabilities: float ``[n, classes]``, out-of-fold.
        labels: int ``[n]``, the annotator's.
    """
    lifts = log_probabilities - log_shares(labels, log_probabilities.shape[1])
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


def linear_probe(
    features: FloatArray,
    labels: IntArray,
    weights: FloatArray,
    *,
    classes: int,
    penalty: float,
) -> tuple[FloatArray, FloatArray]:
    """Softmax regression: float32 ``[classes, width]`` and ``[classes]``.

    Minimises the weighted mean of cross-entropy plus ``penalty`` times the sum of squares of the
    weights.

    Args:
        features: float ``[n, width]``.
        labels: int ``[n]``.
        weights: float ``[n]``.
        classes: number of classes; one that no label names gets a low bias by the loss.
        penalty: of the squared weights.
    """
    read = torch.from_numpy(np.asarray(features, dtype=np.float32))
    targets = torch.nn.functional.one_hot(torch.from_numpy(labels), classes).float()
    counts = torch.from_numpy(np.asarray(weights, dtype=np.float32))
    head = torch.zeros(classes, features.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    _keep_compiler_out()
    optimizer = torch.optim.LBFGS([head, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def objective() -> torch.Tensor:
        head.grad = bias.grad = None
        losses = terms.cross_entropy(read @ head.T + bias, targets)
        loss = (counts * losses).mean() + penalty * (head**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(objective)  # type: ignore[no-untyped-call]
    return head.detach().numpy(), bias.detach().numpy()


def _keep_compiler_out() -> None:
    """An optimiser of torch loads its compiler (two seconds, 100 MB), only to mark the function
    that takes in parameters as not to be compiled. Nothing is compiled here: mark it as it is."""
    function = getattr(torch.optim.Optimizer.add_param_group, "__wrapped__", None)
    if function is not None and not hasattr(function, "__dynamo_disable"):
        setattr(function, "__dynamo_disable", function)


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def normalised(features: FloatArray) -> FloatArray:
    """Each row with mean 0 and variance 1, as a ``mean`` head reads it."""
    centred = features - features.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-6))


def centre_and_scale(features: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation of each column, both ``[width]``; deviation 1 where it is ``FLAT``.

    In most pretrained encoders few dimensions are far larger than all others, and hide them from
    a penalised probe (Timkey and van Schijndel, "All Bark and No Bite", EMNLP 2021).

    Args:
        features: float ``[n, width]``, rows with variance 1.
    """
    scale = features.std(axis=0)
    return features.mean(axis=0), np.where(scale < FLAT, np.float32(1), scale)
