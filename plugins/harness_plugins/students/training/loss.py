"""The loss of a batch: the terms of ``students.terms``, weighted and summed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from harness.data import BoolArray, FloatArray, IntArray
from harness_plugins.students.encoder.device import autocast, mover
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.encoder.pieces import collate
from harness_plugins.students.settings import Settings
from harness_plugins.students.training import terms
from harness_plugins.students.training.training_data import Lesson


@dataclass(frozen=True, slots=True)
class Whole:
    """What the parts of a batch have in common.

    Attributes:
        clean: float, the number of clean units, at least 1 (a batch without any has no
            loss from them, and no division by zero).
        consistent: float, what the consistency's sum is divided by.
        ramp: weight of all terms but the first, in [0, 1].
        share: of mixup, in [0.5, 1].
    """

    clean: float
    consistent: float
    ramp: float
    share: float


class BatchLoss:
    """The loss of rows of a lesson.

    Attributes:
        model: whose features and logits it takes.
        clean: bool ``[units]``; set before each epoch.
    """

    def __init__(
        self,
        model: Classifier,
        lesson: Lesson,
        settings: Settings,
        *,
        pad: int,
        transition: FloatArray | None,
    ) -> None:
        self.model, self._lesson, self._settings, self._pad = model, lesson, settings, pad
        self.clean: BoolArray = lesson.answered
        self.device = next(model.parameters()).device
        self._move = mover(self.device)
        classes = int(model.config.num_labels)
        labels = torch.from_numpy(np.maximum(lesson.labels, 0)).to(self.device)
        self._targets = torch.nn.functional.one_hot(labels, classes).float()
        self._transition = (
            None if transition is None else torch.from_numpy(transition).to(self.device)
        )

    def whole(self, rows: IntArray, epoch: float, rng: np.random.Generator) -> Whole:
        """What is counted and drawn once for a batch.

        Args:
            rows: of the whole batch.
            epoch: epochs done, fractional.
            rng: draws the share of mixup.
        """
        settings = self._settings
        clean = self.clean[self._lesson.pieces.units_of(rows)]
        over = len(clean) if settings.consistency_over == "all" else int((~clean).sum())
        share = float(rng.beta(settings.mixup_alpha, settings.mixup_alpha)) if settings.mixup else 1
        return Whole(
            clean=float(max(1, int(clean.sum()))),
            consistent=float(max(1, over)) if settings.consistency_reduction == "mean" else 1.0,
            ramp=terms.ramp_up(epoch, settings.ramp_epochs),
            share=max(share, 1 - share),
        )

    def __call__(self, rows: IntArray, whole: Whole, rng: np.random.Generator) -> torch.Tensor:
        """The loss of rows of a batch, a scalar: the losses of its parts add up to the whole's."""
        settings, lesson = self._settings, self._lesson
        units = lesson.pieces.units_of(rows)
        clean = np.flatnonzero(self.clean[units])
        features, logits = self._look(rows)
        targets = self._targets[self._tensor(units)]
        kept = self._tensor(clean)
        weights = self._tensor(lesson.weights[units[clean]])

        def learnt(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            return (weights * self._cross_entropy(found, wanted)).sum() / whole.clean

        loss = learnt(logits[: len(units)][kept], targets[kept])
        if settings.mixup and whole.ramp:
            mixture = self._mixture(features[: len(units)][kept], targets[kept], whole.share, rng)
            loss = loss + whole.ramp * settings.mixup * learnt(*mixture)
        if settings.augmented and whole.ramp:
            varied = learnt(logits[len(units) :][kept], targets[kept])
            loss = loss + whole.ramp * settings.augmented * varied
        if settings.consistency and whole.ramp:
            apart = self._apart(logits, units) / whole.consistent
            loss = loss + whole.ramp * settings.consistency * apart
        return loss

    def _cross_entropy(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self._transition is None:
            return terms.cross_entropy(logits, targets)
        return terms.forward_cross_entropy(logits, targets, self._transition)

    def _mixture(
        self, features: torch.Tensor, targets: torch.Tensor, share: float, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Clean units mixed with clean units, in a random order."""
        partner = self._tensor(rng.permutation(len(features)))
        mixed, wanted = terms.mixed(features.float(), targets, partner, share)
        with autocast(self.device):
            return self.model.logits(mixed).float(), wanted

    def _apart(self, logits: torch.Tensor, units: IntArray) -> torch.Tensor:
        """The summed consistency of the units that it is asked of."""
        settings = self._settings
        asked = np.arange(len(units))
        if settings.consistency_over == "rest":
            asked = np.flatnonzero(~self.clean[units])
        own, varied = (logits[self._tensor(at)] for at in (asked, asked + len(units)))
        return terms.consistency(own, varied, settings.temperature).sum()

    def _look(self, rows: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and logits (float32) of the units, then of their variants: one pass."""
        lesson = self._lesson
        parts = [(lesson.pieces, rows)]
        if self._settings.pairs:
            parts.append((lesson.variants, rows))
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
