"""Word pieces in the device's memory, from which a step takes its rows without any transfer."""

from __future__ import annotations

import torch
from torch import Tensor

from harness_plugins.students.encoder.pieces import Pieces


class ResidentPieces:
    """The pieces of a pool on a device.

    Rows are int64 ``[batch]``; -1 stands for no row: it has the pieces of row 0 and no unit.
    Nothing here has a shape that depends on values, so a CUDA graph can hold it.
    """

    def __init__(self, pieces: Pieces, pad: int, device: torch.device) -> None:
        self._pad, self._device = pad, device
        arrays = (pieces.ids, pieces.starts, pieces.units, pieces.places, pieces.unit_starts)
        on_device = [torch.from_numpy(one).to(device) for one in arrays]
        self._ids, self._starts, self._units, self._places, self._unit_starts = on_device

    def inputs(self, rows: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Input ids and attention mask, int64 ``[batch, length]``; what is longer is cut."""
        at, there = self._spans(self._starts, rows, length, len(self._ids))
        return torch.where(there, self._ids[at], self._pad), there.long()

    def units(self, rows: Tensor, slots: int) -> tuple[Tensor, Tensor]:
        """The units of each row, int64, and which of them there are, bool ``[batch, slots]``."""
        at, there = self._spans(self._unit_starts, rows, slots, len(self._units))
        return self._units[at], there & (rows >= 0).unsqueeze(1)

    def places(self, rows: Tensor, slots: int) -> Tensor:
        """Where the units are in their rows, int64 ``[batch, slots]``; 0 where there is none."""
        at, there = self._spans(self._unit_starts, rows, slots, len(self._units))
        # Row 0, which stands for no row, may be longer than the batch.
        return torch.where(there & (rows >= 0).unsqueeze(1), self._places[at], 0)

    def _spans(self, starts: Tensor, rows: Tensor, width: int, size: int) -> tuple[Tensor, Tensor]:
        """Indices of the first ``width`` values of each row, and which of them it has."""
        rows = rows.clamp_min(0)
        at = starts[rows].unsqueeze(1) + torch.arange(width, device=self._device)
        return at.clamp_max(max(0, size - 1)), at < starts[rows + 1].unsqueeze(1)
