"""Training: epochs of steps, and before each epoch a look at which labels to believe.

The order of things is that of FreeAL's section 3.3: rescore the pool, part it into clean and
rest, then minimise ``CE(clean) + w (mixup(clean) + CE(variants of clean) + consistency(rest))``.
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
from harness_plugins.students.encoder.inference import look
from harness_plugins.students.encoder.pieces import epoch_batches
from harness_plugins.students.noise.mixture import clean_by_group, clean_by_mixture
from harness_plugins.students.settings import Settings
from harness_plugins.students.training.averaging import Averaged
from harness_plugins.students.training.loss import BatchLoss, Whole
from harness_plugins.students.training.parallel import Alone
from harness_plugins.students.training.training_data import Begun, Lesson

LARGEST_GRADIENT = 1.0
"""Euclidean norm above which gradients are scaled down."""


class Trainer:
    """Trains a classifier on a lesson. What changes while it does is what a checkpoint keeps.

    Attributes:
        model: in training.
        step: optimiser steps done.
        rng: draws batches and mixup.
        clean: bool ``[units]``, what counts as clean now.
        average: the averaged weights, if wanted.
        begun: what was found out before.
        team: the processes that share each batch.
    """

    def __init__(
        self,
        model: Classifier,
        lesson: Lesson,
        settings: Settings,
        *,
        pad: int,
        seed: int,
        begun: Begun | None = None,
        team: Alone | None = None,
    ) -> None:
        self.model, self.lesson, self.settings = model, lesson, settings
        self.step, self.seed = 0, seed
        self.rng = np.random.default_rng(seed)
        self.begun = begun or Begun()
        self.team = team or Alone()
        self.clean: BoolArray = lesson.answered
        self.optimizer = _adamw(model, settings)
        self.average = Averaged(model, settings.ema) if settings.ema else None
        self.epochs = settings.epochs_for(len(lesson.pool))
        self.steps_an_epoch = -(-len(lesson.pieces) // settings.batch_size)
        self._pad, self._parts = pad, self.team.size
        transition = self.begun.transition
        self.loss = BatchLoss(model, lesson, settings, pad=pad, transition=transition)

    def run(self, progress: Progress, after_epoch: Callable[[], None] = lambda: None) -> None:
        """All epochs that are left."""
        rows_an_epoch = len(self.lesson.pieces)
        for epoch in range(self.step // self.steps_an_epoch, self.epochs):
            if self.team.size > 1:  # each process has dropout of its own, also after a restart
                drawn = np.random.default_rng([self.seed, self.team.rank, epoch])
                torch.manual_seed(int(drawn.integers(2**62)))
            self._part_clean_from_rest(epoch)
            self.loss.clean = self.clean
            self.model.train()
            done = epoch * rows_an_epoch
            size = self.settings.batch_size
            for rows in epoch_batches(self.lesson.pieces.lengths, size, self.rng):
                self._take_step(rows)
                done += len(rows)
                progress(done, self.epochs * rows_an_epoch)
            after_epoch()
        if self.average is not None:
            self.average.copy_to(self.model)
        self.model.eval()

    # -- before an epoch ---------------------------------------------------------------

    def _part_clean_from_rest(self, epoch: int) -> None:
        settings, lesson = self.settings, self.lesson
        # Before the first epoch a new head's losses say nothing.
        if settings.clean == "all" or epoch < max(1, settings.warmup_epochs):
            return
        losses = self._losses()
        clean = np.zeros(len(lesson.labels), dtype=np.bool_)
        if self.team.rank == 0:  # sums in another order must not part them differently
            clean = self._of_small(losses)
        self.clean = self.team.add_up(clean.astype(np.float32)) > 0

    def _of_small(self, losses: FloatArray) -> BoolArray:
        """bool ``[units]``: the answered units that the mixture holds for clean."""
        settings, lesson = self.settings, self.lesson
        answered = np.flatnonzero(lesson.answered)
        clean = np.zeros(len(lesson.labels), dtype=np.bool_)
        if settings.clean_by == "unit":
            groups = lesson.groups(settings.clean_groups)[answered]
            clean[answered] = clean_by_group(
                losses[answered], groups, settings.clean_threshold, self.seed
            )
        else:
            clean[answered] = self._of_clean_examples(losses)[answered]
        return clean

    def _of_clean_examples(self, losses: FloatArray) -> BoolArray:
        """bool ``[units]``: the units of the examples whose mean loss is small."""
        offsets = self.lesson.pool.offsets
        sums = np.add.reduceat(losses.astype(np.float64), offsets[:-1])
        counts = np.add.reduceat(self.lesson.answered.astype(np.int64), offsets[:-1])
        means = sums / np.maximum(1, counts)
        rows = np.flatnonzero(counts)
        clean = np.zeros(len(means), dtype=np.bool_)
        clean[rows] = clean_by_mixture(means[rows], self.settings.clean_threshold, self.seed)
        return np.repeat(clean, np.diff(offsets))

    def _losses(self) -> FloatArray:
        """Cross-entropy of each unit in evaluation mode, float32 ``[units]``; 0 unanswered."""
        pieces = self.lesson.pieces
        rows = np.arange(len(pieces))[self.team.rank :: self.team.size]
        logits, _ = look(self.model, pieces, self._pad, rows=rows)
        labels = torch.from_numpy(np.maximum(self.lesson.labels, 0)).to(logits.device)
        found = -torch.log_softmax(logits, dim=-1).gather(1, labels[:, None])[:, 0]
        seen = np.zeros(len(self.lesson.labels), dtype=np.bool_)
        seen[pieces.units_of(rows)] = True
        losses = np.where(seen & self.lesson.answered, found.cpu().numpy(), 0)
        return self.team.add_up(np.asarray(losses, dtype=np.float32))

    # -- a step ------------------------------------------------------------------------

    def _take_step(self, rows: IntArray) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate()
        self._backward(rows)
        self.team.add_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        if self.average is not None:
            self.average.update(self.model)

    def _backward(self, rows: IntArray) -> None:
        """The gradient of a batch, in as many parts as fit into memory.

        Raises:
            PartError: if there is no memory for one row alone.
        """
        whole = self.loss.whole(rows, self.step / self.steps_an_epoch, self.rng)
        while self.team.any(not self._fits(rows, whole)):
            if self._parts >= len(rows):
                raise PartError("no memory to train on one text; lower student.max_length")
            self._parts = min(2 * self._parts, len(rows))
            self.optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _fits(self, rows: IntArray, whole: Whole) -> bool:
        """Whether memory was enough for the gradient of this process's parts of a batch."""
        parts = np.array_split(rows, self._parts)
        try:
            for index in self.team.own(range(len(parts))):
                if len(parts[index]):
                    loss = self.loss(parts[index], whole, self._drawing(index))
                    loss.backward()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            return False
        return True

    def _drawing(self, part: int) -> np.random.Generator:
        """What draws for a part: in several processes ``rng`` must be the same in all."""
        if self.team.size == 1:
            return self.rng
        return np.random.default_rng([self.seed, self.step, part])

    def _rate(self) -> float:
        """Up over the first steps, then linearly down to zero."""
        steps = self.epochs * self.steps_an_epoch
        rising = int(steps * self.settings.rising)
        if self.step < rising:
            return (self.step + 1) / rising
        return max(0.0, (steps - self.step) / max(1, steps - rising))


def _adamw(model: Classifier, settings: Settings) -> Any:
    """AdamW; biases and layer norms do not decay, frozen weights take no part."""
    parameters = [one for one in model.parameters() if one.requires_grad]
    groups = [
        {
            "params": [one for one in parameters if (one.ndim > 1) == decayed],
            "weight_decay": settings.weight_decay if decayed else 0.0,
        }
        for decayed in (False, True)
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
