"""Processes that train one model together, each with a device of its own (data parallelism)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
import torch

from harness.data import FloatArray

Item = TypeVar("Item")


class Alone:
    """One process: there is nobody to share the work with.

    Attributes:
        rank: of this process, from 0 on.
        size: number of processes.
    """

    rank = 0
    size = 1

    def own(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those of a batch's parts that this process computes."""
        return items[self.rank :: self.size]

    def any(self, mine: bool) -> bool:
        """Whether it is so in any process."""
        return mine

    def add_up(self, values: FloatArray) -> FloatArray:
        """float32 ``[n]``: the sum over all processes."""
        return values

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give every process the sum of all gradients."""


class Team(Alone):
    """The processes that ``students.processes`` launched, reached through ``accelerate``.

    All of them hold the same weights and draw the same batches; each computes some parts of a
    batch. The gradients of the parts add up to the batch's (``BatchLoss``), so the number of
    processes changes nothing but the order of sums, dropout, and which units mixup can pair.
    What has no gradient in any process has none here.
    """

    def __init__(self) -> None:
        from accelerate import PartialState

        state = PartialState(cpu=not torch.cuda.is_available())
        self.rank, self.size = state.process_index, state.num_processes
        self._device = state.device

    def any(self, mine: bool) -> bool:
        """Whether it is so in any process; waits for the GPU."""
        flag = torch.tensor([float(mine)], device=self._device)
        torch.distributed.all_reduce(flag)
        return bool(flag.item())

    def add_up(self, values: FloatArray) -> FloatArray:
        """float32 ``[n]``: the sum over all processes."""
        total = torch.from_numpy(np.ascontiguousarray(values)).to(self._device)
        torch.distributed.all_reduce(total)
        return np.asarray(total.cpu().numpy())

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give every process the sum of all gradients, in one message."""
        learnt = [one for one in parameters if one.requires_grad]
        # A process without a part of the batch has none, nor has what the loss does not use.
        has = [float(one.grad is not None) for one in learnt]
        grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in learnt]
        flags = torch.tensor(has, device=self._device)
        flat = torch.cat([flags, *(one.reshape(-1) for one in grads)])
        torch.distributed.all_reduce(flat)
        done = len(learnt)
        for one, anywhere in zip(learnt, flat[:done].tolist(), strict=True):
            found = flat[done : done + one.numel()].view_as(one)
            one.grad = found if anywhere else None
            done += one.numel()
