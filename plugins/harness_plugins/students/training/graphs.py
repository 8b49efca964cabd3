"""One CUDA graph for each shape of a training step: launched as a whole, not kernel by kernel.

A step of a small encoder takes a GPU a few milliseconds, and a CPU several times as long to
launch kernel by kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from harness_plugins.students.training.batches import Batch

MODE = "relaxed"
"""Kernels may be loaded while a step is captured."""


@dataclass(frozen=True, slots=True, eq=False)
class _Captured:
    graph: torch.cuda.CUDAGraph
    inputs: Batch


class Graphs:
    """Takes the steps of a training on CUDA, by graphs where they can be captured.

    The first step of all is taken without one: it loads libraries, and makes the optimiser's state.
    A replay draws its dropout anew. All graphs share one pool of memory, since they never run at
    the same time. A shape whose capture fails is computed without a graph, which loads its kernels,
    and captured later; where that fails again, no graphs are used.

    Args:
        step: takes a step; what a graph holds. It reads its arguments and writes to tensors that
            stay.
        first: takes a step where nothing is known of the memory that it needs.
        note: for a line where a step cannot be captured.
    """

    def __init__(
        self,
        step: Callable[[Batch], None],
        first: Callable[[Batch], None],
        note: Callable[[str], None],
    ) -> None:
        self._step, self._first, self._note = step, first, note
        self._seen: set[tuple[int, int]] = set()
        self._captured: dict[tuple[int, int], _Captured] = {}
        self._pool: Any = None
        self._works = True

    def __call__(self, batch: Batch) -> None:
        """Take the step of a batch."""
        held = self._captured.get(batch.shape) or self._try_capture(batch)
        if held is None:
            self._seen.add(batch.shape)
            self._first(batch)
            return
        held.inputs.copy_(batch)
        held.graph.replay()

    def forget(self) -> None:
        """Capture anew: steps have changed."""
        self._captured.clear()
        self._pool = None

    def _try_capture(self, batch: Batch) -> _Captured | None:
        if not self._works or not self._seen:
            return None
        try:
            held = self._captured[batch.shape] = self._capture(batch.empty_like())
        except RuntimeError as error:
            self._recover()
            if batch.shape in self._seen:
                self._works = False
                why = (str(error).strip().splitlines() or [""])[0]
                self._note(
                    f"student: a training step cannot be captured as a CUDA graph ({why}), so "
                    "training is slower; student.graphs=false does not try"
                )
            return None
        return held

    def _recover(self) -> None:
        """Leave a capture that failed: torch believes that its generators still draw for it, and
        what was captured before draws from them, too."""
        self.forget()
        for generator in torch.cuda.default_generators:
            generator.graphsafe_set_state(generator.clone_state())

    def _capture(self, inputs: Batch) -> _Captured:
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        stream = torch.cuda.current_stream()
        with torch.cuda.graph(graph, self._pool, stream, capture_error_mode=MODE):
            self._step(inputs)
        return _Captured(graph, inputs)
