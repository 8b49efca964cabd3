"""The terms of robust training, each a function of tensors with its equation.

A unit is a text or a token. Every function returns one value a unit (float ``[units]``,
nats); ``loss`` weighs and sums them. FreeAL is Xiao et al., EMNLP 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """``-sum_c t_c log softmax(z)_c`` (FreeAL, equation of the loss on clean examples).

    Args:
        logits: ``z``, float ``[units, classes]``.
        targets: ``t``, float ``[units, classes]``, rows sum to 1; one-hot or soft.
    """
    return -(targets * torch.log_softmax(logits, dim=-1)).sum(dim=-1)


def adjusted_cross_entropy(logits: Tensor, targets: Tensor, log_shares: Tensor) -> Tensor:
    """``-sum_c t_c log softmax(z + log p)_c``: logit adjustment (Menon et al., "Long-Tail Learning
    via Logit Adjustment", ICLR 2021, eq. 10, tau = 1).

    ``z`` then predicts as if the classes were equally frequent: a label that an annotator gives
    too often is not predicted for that.

    Args:
        logits: ``z``, float ``[units, classes]``.
        targets: ``t``, float ``[units, classes]``.
        log_shares: ``log p``, float ``[classes]``, of each class among the labels learnt from.
    """
    return cross_entropy(logits + log_shares, targets)


def mixed(
    features: Tensor, targets: Tensor, partner: Tensor, share: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Mixup of representations before the head: ``l h + (1 - l) h'``, ``l t + (1 - l) t'``.

    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, on the last hidden
    states as in FreeAL; ``l ~ Beta(4, 4)`` once a batch, then ``max(l, 1 - l)``.

    Args:
        features: ``h``, float ``[units, width]``.
        targets: ``t``, float ``[units, classes]``.
        partner: int64 ``[units]``, a permutation: which unit each is mixed with.
        share: ``l`` in [0.5, 1], a number or a scalar.
    """
    return (
        torch.lerp(features.index_select(0, partner), features, share),
        torch.lerp(targets.index_select(0, partner), targets, share),
    )


def consistency(logits: Tensor, of_variants: Tensor, temperature: float) -> Tensor:
    """``KL(p' || softmax(z/T)) / 2 + KL(p || softmax(z'/T)) / 2``, ``p`` and ``p'`` held fixed.

    The symmetric consistency of FreeAL between a text (``z``, ``p = softmax(z)``) and its
    variant (``z'``, ``p'``), sharpened as in Xie et al., "Unsupervised Data Augmentation for
    Consistency Training" (UDA), NeurIPS 2020.

    Args:
        logits: ``z``, float ``[units, classes]``.
        of_variants: ``z'``, float ``[units, classes]``.
        temperature: ``T``, 0.85 in the reference code.
    """
    return (
        _divergence(of_variants.detach(), logits / temperature)
        + _divergence(logits.detach(), of_variants / temperature)
    ) / 2


def _divergence(fixed: Tensor, moving: Tensor) -> Tensor:
    """``KL(softmax(fixed) || softmax(moving))``, float ``[units]``."""
    wanted = torch.log_softmax(fixed, dim=-1)
    return (wanted.exp() * (wanted - torch.log_softmax(moving, dim=-1))).sum(dim=-1)


def ramp_up(epoch: float, length: float) -> float:
    """``min(epoch / length, 1)``, the weight of all terms but the first (reference code).

    Args:
        epoch: epochs done, fractional.
        length: epochs until the weight is 1; 0: it is 1 at once.
    """
    return 1.0 if length <= 0 else min(epoch / length, 1.0)
