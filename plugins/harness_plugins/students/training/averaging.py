"""Averaged weights: steadier than the last ones, and slower to memorise wrong labels."""

from __future__ import annotations

from typing import Any

import torch

from harness_plugins.students.encoder.heads import Classifier


class Averaged:
    """Exponential moving average of the weights of a model that are trained.

    Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017: the decay is
    ``min(decay, (1 + t) / (10 + t))`` at step t, so that the first steps are soon forgotten
    (``batches.Totals.news`` is the rest up to 1).
    """

    def __init__(self, model: Classifier) -> None:
        self._trained: list[torch.Tensor] = [one for one in model.parameters() if one.requires_grad]
        self.weights = [one.detach().clone() for one in self._trained]

    @torch.no_grad()
    def update(self, news: torch.Tensor | float) -> None:
        """Take in the model's weights after a step; ``news``: their share."""
        shares: Any = [news] * len(self.weights) if isinstance(news, torch.Tensor) else news
        torch._foreach_lerp_(self.weights, self._trained, shares)

    @torch.no_grad()
    def copy_to_model(self) -> None:
        """Give the model the averaged weights."""
        for own, average in zip(self._trained, self.weights, strict=True):
            own.copy_(average)
