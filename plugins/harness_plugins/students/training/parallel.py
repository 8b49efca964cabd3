"""Data parallelism: processes that train one model together, each on its own device."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from harness.data import FloatArray


class OneProcess:
    """A training in this process alone.

    Attributes:
        rank: of this process, from 0 on.
        size: number of processes.
    """

    rank = 0
    size = 1

    def any(self, mine: bool) -> bool:
        """Whether the flag is set in any process."""
        return mine

    def add_up(self, values: FloatArray) -> FloatArray:
        """float32 ``[n]``: the sum over all processes."""
        return values

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give every process the sum of all gradients."""


class ManyProcesses(OneProcess):
    """The processes of ``student.processes``, launched by ``accelerate``.

    All hold the same weights and draw the same batches; each computes some parts of a batch,
    whose gradients add up to the batch's. So the number of processes changes only the order of
    sums, dropout, and which units mixup can pair.
    """

    def __init__(self) -> None:
        from accelerate import PartialState

        state = PartialState(cpu=not torch.cuda.is_available())
        self.rank, self.size = state.process_index, state.num_processes
        self._device = state.device

    def any(self, mine: bool) -> bool:
        """Whether the flag is set in any process; waits for the GPU."""
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
        # Weights have none where the loss does not use them, or a process has no part of a batch.
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
