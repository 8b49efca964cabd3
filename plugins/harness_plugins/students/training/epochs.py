"""Training: epochs of steps, and before each epoch the choice of the labels that count as clean.

The order is that of FreeAL's section 3.3: score the pool again, split it into clean and rest,
then minimise ``CE(clean) + w (mixup(clean) + CE(variants of clean) + consistency(rest))``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from harness.data import BoolArray, FloatArray, IntArray
from harness.errors import PartError
from harness.protocols import Progress
from harness_plugins.students.encoder.device import out_of_memory
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.encoder.inference import infer
from harness_plugins.students.encoder.pieces import epoch_batches
from harness_plugins.students.noise.mixture import clean_by_group, clean_by_mixture
from harness_plugins.students.settings import Settings
from harness_plugins.students.training.averaging import Averaged
from harness_plugins.students.training.loss import BatchLoss, Totals
from harness_plugins.students.training.parallel import OneProcess
from harness_plugins.students.training.training_data import Plan

LARGEST_GRADIENT = 1.0
"""Euclidean norm above which gradients are scaled down."""


class Trainer:
    """Trains a classifier. What changes meanwhile is what a checkpoint keeps.

    Attributes:
        step: optimiser steps done.
        rng: draws batches and mixup.
        clean: bool ``[units]``, the labels that count as clean in this epoch.
        average: the averaged weights, or None.
        processes: those that share each batch.
    """

    def __init__(self, model: Classifier, plan: Plan, processes: OneProcess | None = None) -> None:
        self.model, self.data, self.settings = model, plan.data, plan.settings
        self.noise, self.seed, self.step = plan.noise, plan.seed, 0
        self.rng = np.random.default_rng(plan.seed)
        self.processes = processes or OneProcess()
        self.clean: BoolArray = plan.data.answered
        self.optimizer = _adamw(model, plan.settings)
        self.average = Averaged(model, plan.settings.ema) if plan.settings.ema else None
        self.epochs = plan.settings.epochs_for(len(plan.data.pool))
        self.steps_an_epoch = -(-len(plan.data.pieces) // plan.settings.batch_size)
        self._pad, self._parts = plan.pad, self.processes.size
        self.loss = BatchLoss(model, plan)

    @property
    def epochs_done(self) -> int:
        """Epochs that are finished."""
        return self.step // self.steps_an_epoch

    def run(self, progress: Progress, after_epoch: Callable[[], None] = lambda: None) -> None:
        """All epochs that are left."""
        rows_an_epoch = len(self.data.pieces)
        for epoch in range(self.step // self.steps_an_epoch, self.epochs):
            if self.processes.size > 1:  # each process has its own dropout, also after a restart
                drawn = np.random.default_rng([self.seed, self.processes.rank, epoch])
                torch.manual_seed(int(drawn.integers(2**62)))
            self._choose_clean(epoch)
            self.loss.clean = self.clean
            self.model.train()
            done = epoch * rows_an_epoch
            for rows in epoch_batches(self.data.pieces.lengths, self.settings.batch_size, self.rng):
                self._take_step(rows)
                done += len(rows)
                progress(done, self.epochs * rows_an_epoch)
            after_epoch()
        if self.average is not None:
            self.average.copy_to(self.model)
        self.model.eval()

    # -- before an epoch ---------------------------------------------------------------

    def _choose_clean(self, epoch: int) -> None:
        # Before the first epoch the losses of a new head mean nothing.
        if self.settings.clean == "all" or epoch < max(1, self.settings.warmup_epochs):
            return
        losses = self._losses()
        clean = np.zeros(len(losses), dtype=np.bool_)
        if self.processes.rank == 0:  # sums in another order must not give another choice
            clean = self.small_losses(losses)
        self.clean = self.processes.add_up(clean.astype(np.float32)) > 0

    def small_losses(self, losses: FloatArray) -> BoolArray:
        """bool ``[units]``: the answered units that the mixture holds for clean.

        Args:
            losses: float ``[units]``, 0 where there is no answer.
        """
        settings, answered = self.settings, self.data.answered
        clean = np.zeros(len(losses), dtype=np.bool_)
        if settings.clean_by == "unit":
            groups = self.data.groups(settings.clean_groups)[answered]
            clean[answered] = clean_by_group(
                losses[answered], groups, settings.clean_threshold, self.seed
            )
            return clean
        offsets = self.data.pool.offsets
        sums = np.add.reduceat(losses.astype(np.float64), offsets[:-1])
        counts = np.add.reduceat(answered.astype(np.int64), offsets[:-1])
        means = sums / np.maximum(1, counts)
        rows = np.flatnonzero(counts)
        examples = np.zeros(len(means), dtype=np.bool_)
        examples[rows] = clean_by_mixture(means[rows], settings.clean_threshold, self.seed)
        return np.repeat(examples, np.diff(offsets)) & answered

    def _losses(self) -> FloatArray:
        """Cross-entropy of each unit in evaluation mode, float32 ``[units]``; 0 unanswered."""
        pieces = self.data.pieces
        rows = np.arange(len(pieces))[self.processes.rank :: self.processes.size]
        logits, _ = infer(self.model, pieces, self._pad, rows=rows)
        labels = torch.from_numpy(np.maximum(self.data.labels, 0)).to(logits.device)
        found = -torch.log_softmax(logits, dim=-1).gather(1, labels[:, None])[:, 0]
        read = np.zeros(len(self.data.labels), dtype=np.bool_)
        read[pieces.units_of(rows)] = True
        losses = np.where(read & self.data.answered, found.cpu().numpy(), 0)
        return self.processes.add_up(np.asarray(losses, dtype=np.float32))

    # -- a step ------------------------------------------------------------------------

    def _take_step(self, rows: IntArray) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate()
        self.backward(rows)
        self.processes.add_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        if self.average is not None:
            self.average.update(self.model)

    def backward(self, rows: IntArray) -> None:
        """The gradient of a batch, in as many parts as fit into memory.

        Raises:
            PartError: if there is no memory for a single row.
        """
        totals = self.loss.totals(rows, self.step / self.steps_an_epoch, self.rng)
        while self.processes.any(not self._fits(rows, totals)):
            if self._parts >= len(rows):
                raise PartError("no memory to train on one text; lower student.max_length")
            self._parts = min(2 * self._parts, len(rows))
            self.optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _fits(self, rows: IntArray, totals: Totals) -> bool:
        """Whether memory was enough for the gradient of this process's parts of a batch."""
        parts = np.array_split(rows, self._parts)
        try:
            for index in range(self.processes.rank, len(parts), self.processes.size):
                if len(parts[index]):
                    loss = self.loss(parts[index], totals, self._part_rng(index))
                    loss.backward()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            return False
        return True

    def _part_rng(self, part: int) -> np.random.Generator:
        """The generator of a part: with several processes ``rng`` must be the same in all."""
        if self.processes.size == 1:
            return self.rng
        return np.random.default_rng([self.seed, self.step, part])

    def _rate(self) -> float:
        """Share of the peak rate: up over the first steps, then linearly down to zero."""
        steps = self.epochs * self.steps_an_epoch
        rising = int(steps * self.settings.rising)
        if self.step < rising:
            return (self.step + 1) / rising
        return max(0.0, (steps - self.step) / max(1, steps - rising))


def _adamw(model: Classifier, settings: Settings) -> Any:
    """AdamW without decay of biases and layer norms; frozen weights are left out."""
    parameters = [one for one in model.parameters() if one.requires_grad]
    groups = [
        {
            "params": [one for one in parameters if (one.ndim > 1) == decayed],
            "weight_decay": settings.weight_decay if decayed else 0.0,
        }
        for decayed in (False, True)
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
