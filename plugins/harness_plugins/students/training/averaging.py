"""Averaged weights: steadier than the last ones, and slower to memorise wrong labels."""

from __future__ import annotations

import torch

from harness_plugins.students.encoder.heads import Classifier


class Averaged:
    """Exponential moving average of a model's weights.

    Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017: the decay is
    ``min(decay, (1 + t) / (10 + t))`` at step t, so that the first steps are soon forgotten.
    """

    def __init__(self, model: Classifier, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.weights = [one.detach().clone() for one in model.parameters()]

    @torch.no_grad()
    def update(self, model: Classifier) -> None:
        """Take in the model's weights after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.weights, list(model.parameters()), 1 - decay)

    @torch.no_grad()
    def copy_to(self, model: Classifier) -> None:
        """Give the model the averaged weights."""
        for own, average in zip(model.parameters(), self.weights, strict=True):
            own.copy_(average)
