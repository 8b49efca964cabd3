"""The loss of a batch: the functions of ``terms``, weighted and summed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from harness.data import FloatArray, IntArray
from harness_plugins.students.encoder.device import autocast, mover
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.encoder.pieces import collate
from harness_plugins.students.training import terms
from harness_plugins.students.training.training_data import Plan


@dataclass(frozen=True, slots=True)
class Totals:
    """What the parts of a batch have in common.

    Attributes:
        clean: number of clean units, at least 1: a batch without any divides by no zero.
        consistent: what the consistency's sum is divided by.
        ramp: weight of all terms but the first, in [0, 1].
        share: of mixup, in [0.5, 1].
    """

    clean: float
    consistent: float
    ramp: float
    share: float


class BatchLoss:
    """The loss of rows of the training data.

    Attributes:
        clean: bool ``[units]``; set before each epoch.
    """

    def __init__(self, model: Classifier, plan: Plan) -> None:
        self.model, self._data, self._settings = model, plan.data, plan.settings
        self._pad, self.clean = plan.pad, plan.data.answered
        self.device = next(model.parameters()).device
        self._move = mover(self.device)
        classes = int(model.config.num_labels)
        labels = torch.from_numpy(np.maximum(plan.data.labels, 0)).to(self.device)
        self._targets = torch.nn.functional.one_hot(labels, classes).float()
        transition = plan.noise.transition
        self._transition = (
            None if transition is None else torch.from_numpy(transition).to(self.device)
        )

    def totals(self, rows: IntArray, epoch: float, rng: np.random.Generator) -> Totals:
        """What is counted and drawn once for a batch.

        Args:
            rows: of the whole batch.
            epoch: epochs done, fractional.
            rng: draws the share of mixup.
        """
        settings = self._settings
        clean = self.clean[self._data.pieces.units_of(rows)]
        over = len(clean) if settings.consistency_over == "all" else int((~clean).sum())
        share = float(rng.beta(settings.mixup_alpha, settings.mixup_alpha)) if settings.mixup else 1
        return Totals(
            clean=float(max(1, int(clean.sum()))),
            consistent=float(max(1, over)) if settings.consistency_reduction == "mean" else 1.0,
            ramp=terms.ramp_up(epoch, settings.ramp_epochs),
            share=max(share, 1 - share),
        )

    def __call__(self, rows: IntArray, totals: Totals, rng: np.random.Generator) -> torch.Tensor:
        """The loss of rows of a batch, a scalar; the losses of its parts add up to its own."""
        settings, data = self._settings, self._data
        units = data.pieces.units_of(rows)
        clean = np.flatnonzero(self.clean[units])
        features, logits = self._forward(rows)
        targets = self._targets[self._tensor(units)]
        kept = self._tensor(clean)
        weights = self._tensor(data.weights[units[clean]])

        def supervised(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            return (weights * self._cross_entropy(found, wanted)).sum() / totals.clean

        loss = supervised(logits[: len(units)][kept], targets[kept])
        if settings.mixup and totals.ramp:
            mixture = self._mixed(features[: len(units)][kept], targets[kept], totals.share, rng)
            loss = loss + totals.ramp * settings.mixup * supervised(*mixture)
        if settings.augmented and totals.ramp:
            varied = supervised(logits[len(units) :][kept], targets[kept])
            loss = loss + totals.ramp * settings.augmented * varied
        if settings.consistency and totals.ramp:
            distance = self._consistency(logits, units) / totals.consistent
            loss = loss + totals.ramp * settings.consistency * distance
        return loss

    def _cross_entropy(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self._transition is None:
            return terms.cross_entropy(logits, targets)
        return terms.forward_cross_entropy(logits, targets, self._transition)

    def _mixed(
        self, features: torch.Tensor, targets: torch.Tensor, share: float, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Clean units mixed with clean units, in a random order."""
        partner = self._tensor(rng.permutation(len(features)))
        mixed, wanted = terms.mixed(features.float(), targets, partner, share)
        with autocast(self.device):
            return self.model.logits(mixed).float(), wanted

    def _consistency(self, logits: torch.Tensor, units: IntArray) -> torch.Tensor:
        """The summed consistency of the rest, or of all units."""
        settings = self._settings
        rest = np.arange(len(units))
        if settings.consistency_over == "rest":
            rest = np.flatnonzero(~self.clean[units])
        own, varied = (logits[self._tensor(at)] for at in (rest, rest + len(units)))
        return terms.consistency(own, varied, settings.temperature).sum()

    def _forward(self, rows: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and logits (float32) of the units, then of their variants: one pass."""
        data = self._data
        parts = [(data.pieces, rows)]
        if self._settings.pairs:
            parts.append((data.variants, rows))
        ids, mask = collate(parts, self._pad)
        found = [pieces.at(rows) for pieces, _ in parts]
        batch = np.concatenate([row + part * len(rows) for part, (row, _) in enumerate(found)])
        place = np.concatenate([places for _, places in found])
        at = (self._tensor(batch), self._tensor(place))
        with autocast(self.device):
            features, _ = self.model.features(self._move(ids), self._move(mask), at)
            return features, self.model.logits(features).float()

    def _tensor(self, values: IntArray | FloatArray) -> torch.Tensor:
        return self._move(torch.from_numpy(values))
