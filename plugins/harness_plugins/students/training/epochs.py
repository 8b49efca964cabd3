"""Training: epochs of steps, and before each epoch the choice of the labels that count as clean.

The order is that of FreeAL's section 3.3: score the pool again, split it into clean and rest,
then minimise ``CE(clean) + w (mixup(clean) + CE(variants of clean) + consistency(rest))``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from harness.data import BoolArray, FloatArray, IntArray
from harness.errors import PartError
from harness.protocols import Progress
from harness_plugins.encoders import out_of_memory
from harness_plugins.students.encoder.device import release_freed, working_on
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.encoder.inference import infer
from harness_plugins.students.noise.mixture import clean_by_group, clean_by_mixture
from harness_plugins.students.training.adamw import AdamW
from harness_plugins.students.training.averaging import Averaged
from harness_plugins.students.training.batches import Batch, Drawing, upload
from harness_plugins.students.training.graphs import Graphs
from harness_plugins.students.training.half import half_copy
from harness_plugins.students.training.loss import BatchLoss
from harness_plugins.students.training.parallel import OneProcess
from harness_plugins.students.training.training_data import Plan

LARGEST_GRADIENT = 1.0
"""Euclidean norm above which gradients are scaled down."""
WAIT = 1.0
"""Seconds of training after which progress waits for the device."""


class Trainer:
    """Trains a classifier. What changes meanwhile is what a checkpoint keeps.

    A step uploads nothing and reads nothing back: an epoch's batches are uploaded together.

    Args:
        fixed: batches have fixed shapes (``batches.Drawing``); None: where the model is on a GPU.
        note: for a line to the user.

    Attributes:
        step: optimiser steps done.
        rng: draws batches and mixup.
        clean: bool ``[units]``, the labels that count as clean in this epoch.
        average: the averaged weights, or None.
        processes: those that share each batch.
        last_loss: of the last step, a scalar on the device.
        shapes: word pieces of a row, and parts, of the batches so far.
    """

    def __init__(
        self,
        model: Classifier,
        plan: Plan,
        processes: OneProcess | None = None,
        *,
        fixed: bool | None = None,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.model, self.data, self.settings = model, plan.data, plan.settings
        self.wrong, self.seed, self.step = plan.wrong, plan.seed, 0
        self.rng = np.random.default_rng(plan.seed)
        self.processes = processes or OneProcess()
        self.clean: BoolArray = plan.data.answered
        self._half = half_copy(model)
        self.loss = BatchLoss(self._half.model if self._half else model, plan)
        self.device, self._pad, self._parts = self.loss.device, plan.pad, self.processes.size
        on_gpu = self.device.type == "cuda"
        self.optimizer = AdamW(model.parameters(), plan.settings.weight_decay)
        self.average = Averaged(model) if plan.settings.ema else None
        self.drawing = Drawing(plan, fixed=on_gpu if fixed is None else fixed)
        self.last_loss = torch.zeros((), device=self.device)
        self.shapes: set[tuple[int, int]] = set()
        graphs = on_gpu and plan.settings.graphs and self.processes.size == 1
        self._graphs = Graphs(self._take, self._take_first, note) if graphs else None
        self._waited = time.monotonic()

    @property
    def epochs_done(self) -> int:
        """Epochs that are finished."""
        return self.step // self.drawing.steps_an_epoch

    def run(self, progress: Progress, after_epoch: Callable[[], None] = lambda: None) -> None:
        """All epochs that are left."""
        an_epoch = self.drawing.steps_an_epoch
        with working_on(self.device):
            for epoch in range(self.step // an_epoch, self.drawing.steps // an_epoch):
                if self.processes.size > 1:  # each has its own dropout, also after a restart
                    drawn = np.random.default_rng([self.seed, self.processes.rank, epoch])
                    torch.manual_seed(int(drawn.integers(2**62)))
                self._choose_clean(epoch)
                self._run_epoch(epoch, progress)
                release_freed()
                after_epoch()
            if self.average is not None:
                self.average.copy_to_model()
        self.model.eval()

    def batch(self, rows: IntArray) -> Batch:
        """The batch of given rows at this step, on the device."""
        drawn = self.drawing.batch(rows, self.clean, self.step, self._parts, self.rng)
        return upload([drawn], self.device)[0]

    def _run_epoch(self, epoch: int, progress: Progress) -> None:
        self.loss.set_clean(self.clean)
        self.loss.model.train()
        rows = len(self.data.pieces)
        done, total = epoch * rows, self.drawing.steps // self.drawing.steps_an_epoch * rows
        drawn = self.drawing.epoch(self.clean, self.step, self._parts, self.rng)
        for batch in upload(list(drawn), self.device):
            self.take_step(batch)
            done += batch.drawn.filled
            if time.monotonic() - self._waited > WAIT:
                self.last_loss.item()  # the device is behind; this much is done
                self._waited = time.monotonic()
            progress(done, total)

    # -- before an epoch ---------------------------------------------------------------

    def _choose_clean(self, epoch: int) -> None:
        first = self.settings.first_filtered(self.data.pool.kind)
        if self.settings.clean == "all" or epoch < first:
            return
        losses = self._losses()
        release_freed()
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
        logits, _ = infer(self.model, pieces, self._pad, self.settings.max_length, rows=rows)
        labels = torch.from_numpy(np.maximum(self.data.labels, 0)).to(logits.device)
        found = -torch.log_softmax(logits, dim=-1).gather(1, labels[:, None])[:, 0]
        read = np.zeros(len(self.data.labels), dtype=np.bool_)
        read[pieces.units_of(rows)] = True
        losses = np.where(read & self.data.answered, found.cpu().numpy(), 0)
        return self.processes.add_up(np.asarray(losses, dtype=np.float32))

    # -- a step ------------------------------------------------------------------------

    def take_step(self, batch: Batch) -> None:
        """One step of the optimiser."""
        if batch.drawn.parts < self._parts:
            batch = self._redrawn(batch)
        self.shapes.add(batch.shape)
        if self._graphs is None:
            self._take_first(batch)
        else:
            self._graphs(batch)
        self.step += 1

    def _take_first(self, batch: Batch) -> None:
        self.optimizer.forget_gradients()  # of a step that could not be captured
        self._update(self.backward(batch))

    def _take(self, batch: Batch) -> None:
        self._add_gradients(batch)
        self._update(batch)

    def backward(self, batch: Batch) -> Batch:
        """The gradient of a batch, in as many parts as fit into memory; the batch so parted.

        Raises:
            PartError: if there is no memory for a single row.
        """
        while self.processes.any(not self._fits(batch)):
            if self._parts >= len(batch.rows):
                raise PartError("no memory to train on one text; lower student.max_length")
            self._parts = min(2 * self._parts, len(batch.rows))
            self.optimizer.forget_gradients()
            if self._graphs is not None:
                self._graphs.forget()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            batch = self._redrawn(batch)
        return batch

    def _redrawn(self, batch: Batch) -> Batch:
        drawn = self.drawing.partnered(batch.drawn, self.clean, self._parts)
        return upload([drawn], self.device)[0]

    def _fits(self, batch: Batch) -> bool:
        """Whether memory was enough for the gradient of this process's parts of a batch."""
        try:
            self._add_gradients(batch)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            return False
        return True

    def _add_gradients(self, batch: Batch) -> None:
        self.last_loss.zero_()
        if self._half:
            self._half.read_weights()
        for part in batch.split()[self.processes.rank :: self.processes.size]:
            if len(part.rows):
                loss = self.loss(part)
                loss.backward()  # type: ignore[no-untyped-call]
                self.last_loss.add_(loss.detach())
        if self._half:
            self._half.hand_over_gradients()

    def _update(self, batch: Batch) -> None:
        self.processes.add_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        totals = batch.numbers
        self.optimizer.step(totals.rate)
        self.optimizer.forget_gradients()
        if self.average is not None:
            self.average.update(totals.news)
