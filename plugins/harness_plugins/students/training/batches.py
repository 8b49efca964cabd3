"""The batches of an epoch: drawn together, uploaded together, each of a shape that recurs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch

from harness.data import BoolArray, FloatArray, IntArray
from harness_plugins.lengths import fixed_length
from harness_plugins.students.encoder.pieces import epoch_batches
from harness_plugins.students.training import terms
from harness_plugins.students.training.training_data import Plan

Number = TypeVar("Number")
PIECES = 1024
"""Word pieces, padding included, whose activations a CPU holds at a time: about 0.3 MB each with
a small encoder."""


class Totals(NamedTuple, Generic[Number]):
    """The numbers of a step, which the parts of its batch have in common.

    Attributes:
        clean: number of clean units, at least 1: a batch without any divides by no zero.
        consistent: what the consistency's sum is divided by.
        ramp: weight of all terms but the first, in [0, 1].
        share: of mixup, in [0.5, 1].
        rate: learning rate.
        news: weight of the step's weights in the average.
    """

    clean: Number
    consistent: Number
    ramp: Number
    share: Number
    rate: Number
    news: Number


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A batch before it is uploaded.

    Attributes:
        step: of the training.
        rows: int64 ``[batch]``, of the training data; -1 where the batch is filled up.
        partner: int64 ``[batch, slots]``, which unit of its part of the batch each clean unit is
            mixed with; units are counted through rows and slots. Others have themselves.
        totals: numbers of the step.
        length: word pieces of a row.
        parts: in which the loss is computed.
    """

    step: int
    rows: IntArray
    partner: IntArray
    totals: Totals[float]
    length: int
    parts: int

    @property
    def filled(self) -> int:
        """Rows of the training data."""
        return int(np.count_nonzero(self.rows >= 0))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The same on the device: ``rows``, ``partner``, and the totals as float32 ``[6]``."""

    drawn: Drawn
    rows: torch.Tensor
    partner: torch.Tensor
    totals: torch.Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Word pieces of a row, and parts; of fixed batches all that their shapes depend on."""
        return self.drawn.length, self.drawn.parts

    @property
    def numbers(self) -> Totals[Any]:
        """The totals: on a GPU scalars there, which a graph can read; on a CPU the numbers
        themselves, which are not rounded to float32."""
        if self.totals.is_cuda:
            return Totals(*self.totals.unbind())
        return self.drawn.totals

    def split(self) -> list[Batch]:
        """Parts of about equal size, whose losses add up to the batch's."""
        parts = (one.tensor_split(self.drawn.parts) for one in (self.rows, self.partner))
        return [replace(self, rows=rows, partner=mates) for rows, mates in zip(*parts, strict=True)]

    def empty_like(self) -> Batch:
        """A batch of the same shape, to copy others to."""
        tensors = (torch.empty_like(one) for one in (self.rows, self.partner, self.totals))
        return Batch(self.drawn, *tensors)

    def copy_(self, other: Batch) -> None:
        """Take the tensors' values of another batch of the same shape."""
        self.rows.copy_(other.rows)
        self.partner.copy_(other.partner)
        self.totals.copy_(other.totals)


class Drawing:
    """Draws the batches of a training.

    Attributes:
        steps_an_epoch: batches of an epoch.
        steps: of the whole training.

    Args:
        plan: of the training.
        fixed: each batch has ``batch_size`` rows and one of at most eight lengths, as devices
            need it that plan for each shape; else as many rows and pieces as there are.
    """

    def __init__(self, plan: Plan, *, fixed: bool) -> None:
        self._data, self._settings, self._seed = plan.data, plan.settings, plan.seed
        self._fixed = fixed
        pieces, variants = plan.data.pieces, plan.data.variants
        paired = np.maximum(pieces.lengths, variants.lengths)
        self._lengths = paired if plan.settings.pairs else pieces.lengths
        self._counts = np.diff(pieces.unit_starts)
        self.steps_an_epoch = -(-len(pieces) // plan.settings.batch_size)
        self.steps = plan.settings.epochs_for(len(plan.data.pool)) * self.steps_an_epoch

    def epoch(
        self, clean: BoolArray, step: int, parts: int, rng: np.random.Generator
    ) -> Iterator[Drawn]:
        """The batches of an epoch.

        Args:
            clean: bool ``[units]``.
            step: of the epoch's first batch.
            parts: of each batch; units are mixed within a part.
            rng: draws rows, shares, and partners where a batch is in one part.
        """
        size, together = self._settings.batch_size, self._settings.sorted_batches
        rows = epoch_batches(self._data.pieces.lengths, size, together, rng)
        for number, own in enumerate(rows):
            yield self.batch(own, clean, step + number, parts, rng)

    def batch(
        self, rows: IntArray, clean: BoolArray, step: int, parts: int, rng: np.random.Generator
    ) -> Drawn:
        """A batch of given rows; arguments as of ``epoch``. On a CPU in as many parts as keep
        its memory low."""
        totals = self._totals(clean[self._data.pieces.units_of(rows)], step, rng)
        length = int(self._lengths[rows].max())
        if self._fixed:
            length = fixed_length(length, self._settings.max_length)
            rows = np.pad(rows, (0, self._settings.batch_size - len(rows)), constant_values=-1)
        else:
            pieces = len(rows) * length * (2 if self._settings.pairs else 1)
            parts = min(len(rows), max(parts, -(-pieces // PIECES)))
        alone = np.empty((len(rows), 0), dtype=np.int64)
        found = Drawn(step, rows, alone, totals, length, parts)
        return self.partnered(found, clean, parts, rng)

    def partnered(
        self, drawn: Drawn, clean: BoolArray, parts: int, rng: np.random.Generator | None = None
    ) -> Drawn:
        """The same batch in another number of parts, with new partners.

        Args:
            drawn: the batch.
            clean: bool ``[units]``.
            parts: of the batch.
            rng: of a batch in one part; parts have their own, so that each can be computed alone.
        """
        kept = self._kept(drawn, clean)
        partner = np.empty(kept.shape, dtype=np.int64)
        for part, own in enumerate(np.array_split(np.arange(len(kept)), parts)):
            inside = kept[own].ravel()
            mates = np.arange(len(inside))
            if self._settings.mixup and drawn.totals.ramp:
                chosen = np.flatnonzero(inside)
                if rng is None or parts > 1:
                    rng = np.random.default_rng([self._seed, drawn.step, part])
                mates[chosen] = chosen[rng.permutation(len(chosen))]
            partner[own] = mates.reshape(kept[own].shape)
        return replace(drawn, partner=partner, parts=parts)

    def _kept(self, drawn: Drawn, clean: BoolArray) -> BoolArray:
        """bool ``[batch, slots]``: which units there are, and clean."""
        pieces, rows = self._data.pieces, np.maximum(drawn.rows, 0)
        counts = np.where(drawn.rows < 0, 0, self._counts[rows])
        slots = int(counts.max())
        if self._fixed and self._data.pool.kind == "token":
            slots = drawn.length
        at = pieces.unit_starts[rows][:, None] + np.arange(slots)
        units = pieces.units[np.minimum(at, len(pieces.units) - 1)]
        return np.asarray(clean[units] & (np.arange(slots) < counts[:, None]))

    def _totals(self, clean: BoolArray, step: int, rng: np.random.Generator) -> Totals[float]:
        """What is counted and drawn once for a batch whose units are clean or not."""
        settings = self._settings
        over = len(clean) if settings.consistency_over == "all" else int((~clean).sum())
        share = float(rng.beta(settings.mixup_alpha, settings.mixup_alpha)) if settings.mixup else 1
        return Totals(
            clean=float(max(1, int(clean.sum()))),
            consistent=float(max(1, over)) if settings.consistency_reduction == "mean" else 1.0,
            ramp=terms.ramp_up(step / self.steps_an_epoch, settings.ramp_epochs),
            share=max(share, 1 - share),
            rate=settings.learning_rate * self._rate(step),
            # Tarvainen and Valpola: the first steps are soon forgotten.
            news=1 - min(settings.ema, (2 + step) / (11 + step)),
        )

    def _rate(self, step: int) -> float:
        """Share of the peak rate: up over the first steps, then linearly down to zero."""
        rising = int(self.steps * self._settings.rising)
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (self.steps - step) / max(1, self.steps - rising))


def upload(drawn: Sequence[Drawn], device: torch.device) -> list[Batch]:
    """Batches on the device, by two copies."""
    flat = [one for own in drawn for one in (own.rows, own.partner.ravel())]
    indices = torch.split(_to(np.concatenate(flat), device), [len(one) for one in flat])
    totals = _to(np.asarray([own.totals for own in drawn], dtype=np.float32), device).unbind()
    return [
        Batch(own, rows, partner.view(own.partner.shape), numbers)
        for own, rows, partner, numbers in zip(
            drawn, indices[::2], indices[1::2], totals, strict=True
        )
    ]


def _to(values: IntArray | FloatArray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(values).to(device)
