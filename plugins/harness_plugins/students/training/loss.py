"""The loss of a batch: the functions of ``terms``, weighted and summed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from harness.data import BoolArray
from harness_plugins.students.encoder.device import autocast
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.encoder.resident import ResidentPieces
from harness_plugins.students.noise.estimate import log_shares
from harness_plugins.students.training import terms
from harness_plugins.students.training.batches import Batch
from harness_plugins.students.training.training_data import Plan


class BatchLoss:
    """The loss of rows of the training data, which stay in the device's memory.

    Every unit of a batch takes part in every term, by a weight that may be 0: so the shapes of a
    step do not depend on which labels are clean.
    """

    def __init__(self, model: Classifier, plan: Plan) -> None:
        self.model, self._settings = model, plan.settings
        self.device = next(model.parameters()).device
        data = plan.data
        self._own = ResidentPieces(data.pieces, plan.pad, self.device)
        self._pieces = [self._own]
        if plan.settings.pairs:
            self._pieces.append(ResidentPieces(data.variants, plan.pad, self.device))
        labels = torch.from_numpy(np.maximum(data.labels, 0)).to(self.device)
        self._targets = torch.nn.functional.one_hot(labels, int(model.config.num_labels)).float()
        self._weights = torch.from_numpy(data.weights).to(self.device)
        self._clean = torch.from_numpy(data.answered).to(self.device)
        self._adjusted, self._labels = plan.adjusted, data.labels
        self._log_shares = torch.zeros(self._targets.shape[1], device=self.device)

    def set_clean(self, clean: BoolArray) -> None:
        """Which units count as clean in this epoch, bool ``[units]``."""
        self._clean.copy_(torch.from_numpy(clean))
        if self._adjusted:
            found = log_shares(self._labels[clean], len(self._log_shares))
            self._log_shares.copy_(torch.from_numpy(found))

    def __call__(self, batch: Batch) -> Tensor:
        """The loss of a batch or of a part of one, a scalar; those of the parts add up."""
        settings, totals = self._settings, batch.numbers
        units, there = (one.ravel() for one in self._own.units(batch.rows, batch.partner.shape[1]))
        clean = self._clean[units]
        features, logits = self._forward(batch)
        targets = self._targets[units]
        weights = self._weights[units] * (clean & there)

        def supervised(found: Tensor, wanted: Tensor) -> Tensor:
            mean: Tensor = (weights * self._cross_entropy(found, wanted)).sum() / totals.clean
            return mean

        own, varied = logits[: len(units)], logits[len(units) :]
        loss = supervised(own, targets)
        if settings.mixup:
            partner = batch.partner.ravel()
            mixture = terms.mixed(features[: len(units)].float(), targets, partner, totals.share)
            loss = loss + totals.ramp * settings.mixup * supervised(*self._judged(*mixture))
        if settings.augmented:
            loss = loss + totals.ramp * settings.augmented * supervised(varied, targets)
        if settings.consistency:
            over = there if settings.consistency_over == "all" else there & ~clean
            distances = over * terms.consistency(own, varied, settings.temperature)
            distance = distances.sum() / totals.consistent
            loss = loss + totals.ramp * settings.consistency * distance
        return loss

    def _cross_entropy(self, logits: Tensor, targets: Tensor) -> Tensor:
        return terms.adjusted_cross_entropy(logits, targets, self._log_shares)

    def _judged(self, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, float32, of mixed features."""
        with autocast(self.device):
            return self.model.logits(features).float(), targets

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Features and logits (float32) of the units, then of their variants: one pass."""
        slots = batch.partner.shape[1]
        inputs = [one.inputs(batch.rows, batch.drawn.length) for one in self._pieces]
        ids, mask = (torch.cat(ones) for ones in zip(*inputs, strict=True))
        places = torch.cat([one.places(batch.rows, slots) for one in self._pieces])
        row = torch.arange(len(ids), device=self.device).unsqueeze(1).expand_as(places)
        with autocast(self.device):
            features, _ = self.model.features(ids, mask, (row.ravel(), places.ravel()))
            return features, self.model.logits(features).float()
