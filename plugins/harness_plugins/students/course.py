"""A training from its plan: in this process, or in several that share each batch."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.data import FloatArray
from harness.errors import PartError
from harness.protocols import Progress
from harness_plugins.encoders import device, quiet_transformers
from harness_plugins.students import checkpoints
from harness_plugins.students.checkpoints import Checkpoints
from harness_plugins.students.heads import Classifier
from harness_plugins.students.lesson import Lesson
from harness_plugins.students.settings import Settings
from harness_plugins.students.team import Alone, Team
from harness_plugins.students.training import Trainer

__all__ = ["Plan", "train", "train_together"]

POLL = 0.1
"""Seconds between looks at how far the processes are."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All that a training needs besides the model.

    Attributes:
        lesson: what is learnt.
        settings: as they are after what was found out before (``Begun``).
        pad: the padding's id.
        seed: of batches, mixup and dropout.
        transition: float32 ``[classes, classes]`` or None: no correction.
        checkpoints: the folder of checkpoints, or None: none are kept.
        key: of the checkpoints.
        seconds: of training between two of them.
    """

    lesson: Lesson
    settings: Settings
    pad: int
    seed: int
    transition: FloatArray | None
    checkpoints: Path | None
    key: str
    seconds: float = field(default_factory=lambda: checkpoints.SECONDS)


def train(model: Classifier, plan: Plan, progress: Progress, team: Alone | None = None) -> None:
    """Train from the start, or from the last checkpoint."""
    kept = Checkpoints(plan.checkpoints, plan.key, plan.seconds)
    found = kept.find()
    trainer = Trainer(
        model,
        plan.lesson,
        plan.settings,
        pad=plan.pad,
        seed=plan.seed,
        transition=plan.transition,
        team=team,
    )
    if found:
        found.restore(trainer)
    if trainer.team.rank > 0:  # dropout differs between processes, also after a restart
        drawn = np.random.default_rng([plan.seed, trainer.team.rank]).integers(2**62)
        torch.manual_seed(int(drawn))
    save = trainer.team.rank == 0
    trainer.run(progress, lambda: kept.save(trainer) if save else None)


def train_together(
    model: Classifier, make: Callable[[], Classifier], plan: Plan, progress: Progress
) -> None:
    """The same in ``settings.processes`` processes, one a GPU, or sharing the CPU's cores.

    Args:
        model: its weights are where training begins, and what it ends with.
        make: makes a model of the same shape, in another process: it must be picklable.
        plan: of the training.
        progress: told of the rows that are done.

    Raises:
        PartError: if a process fails.
    """
    from accelerate.utils import patch_environment
    from accelerate.utils.launch import PrepareForLaunch
    from torch.multiprocessing.spawn import start_processes

    size = plan.settings.processes
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        torch.save((make, _weights(model), plan), room / "begun.pt")
        counts = multiprocessing.get_context("spawn").SimpleQueue()
        cuda = torch.cuda.is_available()
        with patch_environment(
            world_size=size,
            master_addr="127.0.0.1",
            master_port=_free_port(),
            accelerate_use_cpu="no" if cuda else "yes",
            omp_num_threads=os.environ.get("OMP_NUM_THREADS", _cores() // size or 1),
            **({} if cuda or sys.platform != "linux" else {"gloo_socket_ifname": "lo"}),
        ):
            launched = PrepareForLaunch(_work, "MULTI_GPU" if cuda else "MULTI_CPU")
            processes = start_processes(  # type: ignore[no-untyped-call]
                launched, args=(room, counts), nprocs=size, join=False, start_method="spawn"
            )
        _wait(processes, counts, progress)
        model.load_state_dict(torch.load(room / "done.pt", weights_only=True))
    model.eval()


def _work(room: Path, counts: Any) -> None:
    """What each process does."""
    make, weights, plan = torch.load(room / "begun.pt", weights_only=False)
    team = Team()
    quiet_transformers()
    model = make().to(device())
    model.load_state_dict(weights)
    torch.manual_seed(plan.seed)
    report: Progress = (lambda done, total: counts.put((done, total))) if not team.rank else _silent
    train(model, plan, report, team)
    if team.rank == 0:
        torch.save(_weights(model), room / "done.pt")
    torch.distributed.destroy_process_group()


def _weights(model: Classifier) -> dict[str, torch.Tensor]:
    return {name: one.cpu() for name, one in model.state_dict().items()}


def _silent(done: int, total: int) -> None:
    """Only one process says how far they are."""


def _wait(processes: Any, counts: Any, progress: Progress) -> None:
    """Pass progress on until all have ended; if this process stops, they stop."""
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

    try:
        ended = False
        while not ended:
            ended = processes.join(timeout=POLL)
            while not counts.empty():
                progress(*counts.get())
    except ProcessRaisedException as error:
        what = str(error).strip().splitlines()[-1]
        raise PartError(f"training in {len(processes.processes)} processes: {what}") from None
    except ProcessExitedException as error:
        raise PartError(f"training in {len(processes.processes)} processes: {error}") from None
    finally:
        for one in processes.processes:
            if one.is_alive():
                one.kill()
            one.join()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
