"""Training steps on a GPU: equal to the CPU's, as CUDA graphs, without waiting; and how fast.

    python -m tests.benchmarks.gpu_steps --data DIR [--examples 8662] [--shape minilm|roberta]

The ``paper`` preset on MR with GPT-3.5's recorded labels and back-translations. Printed, a line
each: the largest difference between losses of six steps in float32 on CPU, GPU, and GPU with
graphs (without dropout); between losses of 40 steps in bfloat16 with graphs and without; losses of
one batch at rate 0 again and again (dropout draws anew in each replay), while torch refuses every
operation that waits for the device; trainings whose captures fail; pairs a second of each epoch,
and peak memory. Without a GPU the same in fixed shapes on the CPU.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from harness.protocols import no_progress
from harness_plugins.encoders import device
from harness_plugins.students.encoder.device import working_on
from harness_plugins.students.encoder.pieces import make_pieces
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys, Settings
from harness_plugins.students.sources import Source, packaged
from harness_plugins.students.training.batches import Batch, upload
from harness_plugins.students.training.epochs import Trainer
from harness_plugins.students.training.training_data import Plan, TrainingData
from tests.benchmarks.student import CLASSES, Material, folder_of, in_float32, material

GPU = device()
CPU = torch.device("cpu")
FEW = np.arange(640)


def settings(**keys: Any) -> Settings:
    made = EncoderKeys(**{"preset": "paper", "head": "mean", "warmup_epochs": 1, **keys})
    return settings_of(made, "sequence", packaged())


def trainer_on(
    where: torch.device, folder: Path, made: Material, chosen: Settings, *, dropout: bool
) -> Trainer:
    torch.manual_seed(0)
    student = EncoderStudent(
        Source(folder, folder.name, tuned_for_mean=True), "sequence", CLASSES, chosen
    )
    fitted = student.load(folder)
    for module in () if dropout else fitted.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout_prob", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    pieces = make_pieces(made.pool, fitted.tokenizer, chosen.max_length, made.variants)
    data = TrainingData.of(made.pool, made.said, pieces[0], pieces[1], chosen)
    plan = Plan(data, chosen, fitted.pad, seed=0)
    one = Trainer(fitted.model.to(where), plan, fixed=True, note=print)
    one.model.train()
    return one


def few(made: Material, rows: Any = FEW) -> Material:
    rows = rows[rows < len(made.pool)]
    return Material(made.pool.take(rows), made.said.take(rows), made.variants.take(rows))


def batches(one: Trainer, count: int, rate: float = 1e-4) -> list[Batch]:
    """Batches with every term, two thirds of them clean."""
    one.clean = np.arange(len(one.data.labels)) % 3 > 0
    one.loss.set_clean(one.clean)
    drawn = list(one.drawing.epoch(one.clean, 0, 1, np.random.default_rng(0)))[:count]
    return upload(
        [replace(own, totals=own.totals._replace(ramp=0.7, rate=rate)) for own in drawn], one.device
    )


def losses(one: Trainer, taken: list[Batch], precision: str = "high") -> list[float]:
    found = []
    with working_on(one.device):
        torch.set_float32_matmul_precision(precision)
        for batch in taken:
            one.take_step(batch)
            found.append(one.last_loss.clone())
        return torch.stack(found).tolist()


def largest(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


@contextmanager
def without_waiting() -> Iterator[None]:
    """Every operation that waits for the GPU raises."""
    if not torch.cuda.is_available():
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def show_equal(folder: Path, made: Material) -> None:
    """Each batch three times, so that its shape is captured on a GPU."""
    found: dict[str, list[float]] = {}
    with in_float32():
        for name, where, graphs in (("CPU", CPU, False), ("GPU", GPU, False), ("graph", GPU, True)):
            one = trainer_on(where, folder, few(made), settings(graphs=graphs), dropout=False)
            thrice = [own for own in batches(one, 2) for _ in range(3)]
            found[name] = losses(one, thrice, "highest")
    for name in ("GPU", "graph"):
        print(f"float32, {name} against CPU, six losses: {largest(found['CPU'], found[name]):.1e}")


def show_replays(folder: Path, made: Material) -> None:
    found = []
    for graphs in (False, True, True):
        one = trainer_on(GPU, folder, few(made), settings(graphs=graphs), dropout=False)
        found.append(losses(one, batches(one, 20) * 2))
    print(f"bfloat16, 40 losses, graphs against none: {largest(*found[:2]):.1e}", end="; ")
    print(f"graphs twice: {largest(*found[1:]):.1e}", flush=True)


def show_dropout(folder: Path, made: Material) -> None:
    one = trainer_on(GPU, folder, few(made), settings(), dropout=True)
    own = batches(one, 1, rate=0.0)
    losses(one, own * 2)
    with working_on(one.device):
        found = []
        with without_waiting():
            for _ in range(8):
                one.take_step(own[0])
                found.append(one.last_loss.clone())
        several = torch.stack(found).tolist()
    print(f"dropout: {len(set(several))} losses of 8 replays differ; no step waits", flush=True)


def show_failures(folder: Path, made: Material) -> None:
    """A capture that fails once is tried again; where each fails, training goes on without."""
    for times in (1, 10**6):
        one = trainer_on(GPU, folder, few(made), settings(), dropout=True)
        features, left = one.model.features, [times]

        def failing(*inputs: Any, features: Any = features, left: list[int] = left) -> Any:
            found = features(*inputs)
            if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing() and left[0]:
                left[0] -= 1
                found[0].sum().item()
            return found

        one.model.features = failing  # type: ignore[method-assign]
        found = losses(one, batches(one, 20) * 3)
        works = one._graphs is not None and one._graphs._works
        print(f"captures fail {times} times: loss {found[-1]:.3f}, graphs {works}", flush=True)


def show_epochs(folder: Path, made: Material, *, graphs: bool, epochs: int) -> None:
    chosen = settings(graphs=graphs, epochs=epochs)
    one = trainer_on(GPU, folder, made, chosen, dropout=True)
    ends: list[float] = []

    def after() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        ends.append(perf_counter())

    after()
    one.run(no_progress, after)
    speeds = [f"{len(made.pool) / took:,.0f}" for took in np.diff(ends)]
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0
    print(
        f"{'graphs' if graphs else 'no graphs'}, pairs/s by epoch (rescoring from the second on): "
        f"{', '.join(speeds)}; {len(one.shapes)} shapes, {peak:.1f} GiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--shape", choices=["minilm", "roberta"], default="minilm")
    options = parser.parse_args()
    made = material(options.data, options.examples)
    with tempfile.TemporaryDirectory() as room:
        folder = folder_of(options.shape, Path(room))
        show_epochs(folder, made, graphs=True, epochs=3)
        show_epochs(folder, few(made, np.arange(2048)), graphs=False, epochs=2)
        show_equal(folder, made)
        show_replays(folder, made)
        show_dropout(folder, made)
        show_failures(folder, made)


if __name__ == "__main__":
    main()
