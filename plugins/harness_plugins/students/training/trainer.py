"""A training from its plan: in this process, or in several that share each batch."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from harness.errors import PartError
from harness.protocols import Progress
from harness_plugins.encoders import cores, device, quiet_transformers
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.settings import Settings
from harness_plugins.students.training import checkpoints
from harness_plugins.students.training.checkpoints import Checkpoints
from harness_plugins.students.training.epochs import Trainer
from harness_plugins.students.training.parallel import Alone, Team
from harness_plugins.students.training.training_data import Begun, Lesson

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
        begun: what was found out before.
        checkpoints: the folder of checkpoints, or None: none are kept.
        key: of the checkpoints.
        seconds: of training between two of them.
    """

    lesson: Lesson
    settings: Settings
    pad: int
    seed: int
    begun: Begun
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
        begun=plan.begun,
        team=team,
    )
    if found:
        found.restore(trainer)
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

    The processes are spawned: a script that calls this must guard its own start by
    ``if __name__ == "__main__"``.
    """
    from accelerate.utils import patch_environment
    from accelerate.utils.launch import PrepareForLaunch
    from torch.multiprocessing.spawn import start_processes

    size = plan.settings.processes
    cuda = torch.cuda.is_available()
    weights = _weights(model)
    if cuda:  # the first process needs the memory
        model.cpu()
        torch.cuda.empty_cache()
    with _room(plan.checkpoints) as room:
        torch.save(weights, room / "begun.pt")
        counts = multiprocessing.get_context("spawn").SimpleQueue()
        launched = PrepareForLaunch(_work, "MULTI_GPU" if cuda else "MULTI_CPU")
        with patch_environment(**_environment(size)):
            processes = start_processes(  # type: ignore[no-untyped-call]
                launched,
                args=(room, counts, make, plan),
                nprocs=size,
                join=False,
                daemon=True,  # they end with this process, also while the others are started
                start_method="spawn",
            )
        _wait(processes, counts, progress, room)
        model.load_state_dict(torch.load(room / "done.pt", weights_only=True))
    model.to(device()).eval()


@contextmanager
def _room(checkpoints: Path | None) -> Iterator[Path]:
    """A folder for what the processes hand over; what a killed training left there is deleted."""
    if checkpoints is None:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    room = checkpoints / "together"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _environment(size: int) -> dict[str, str]:
    """What the processes find each other by, whatever a cluster's job says of its own."""
    threads = int(os.environ.get("OMP_NUM_THREADS") or cores())
    found = {
        "world_size": str(size),
        "nproc": str(size),
        "node_rank": "0",
        "master_addr": "127.0.0.1",
        "master_port": _free_port(),
        "omp_num_threads": str(max(1, threads // size)),
    }
    if torch.cuda.is_available():
        from accelerate.utils import check_cuda_p2p_ib_support

        if not check_cuda_p2p_ib_support():
            found |= {"nccl_p2p_disable": "1", "nccl_ib_disable": "1"}
        return found
    found["accelerate_use_cpu"] = "yes"
    if sys.platform == "linux":
        found["gloo_socket_ifname"] = "lo"
    return found


def _work(room: Path, counts: Any, make: Callable[[], Classifier], plan: Plan) -> None:
    """What each process does; what ends it by an error it leaves in a file."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    rank = os.environ["RANK"]
    try:
        team = Team()
        quiet_transformers()
        model = make().to(device())
        model.load_state_dict(torch.load(room / "begun.pt", weights_only=True))
        torch.manual_seed(plan.seed)
        train(model, plan, _silent if team.rank else lambda *done: counts.put(done), team)
        if team.rank == 0:
            torch.save(_weights(model), room / "done.tmp")
            (room / "done.tmp").rename(room / "done.pt")
        torch.distributed.destroy_process_group()
        os._exit(0)  # the interpreter's own end aborts now and then while a thread waits
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        kind = (isinstance(error, PartError), isinstance(error, torch.distributed.DistError))
        said = first if kind[0] else f"{type(error).__name__}: {first}"
        (room / f"failed.{rank}").write_text(json.dumps([*kind, said]), encoding="utf-8")
        raise


def _end_with_parent() -> None:
    """A parent that was killed must not leave trainings behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _weights(model: Classifier) -> dict[str, torch.Tensor]:
    return {name: one.cpu() for name, one in model.state_dict().items()}


def _silent(done: int, total: int) -> None:
    """Only one process says how far they are."""


def _wait(processes: Any, counts: Any, progress: Progress, room: Path) -> None:
    """Pass progress on until all have ended; if this process stops, they stop."""
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

    logger = logging.getLogger("torch.multiprocessing.spawn")
    level = logger.level
    logger.setLevel(logging.ERROR)  # of those that it ends because one failed
    what = f"training in {len(processes.processes)} processes"
    try:
        ended = False
        while not ended:
            ended = processes.join(timeout=POLL)
            while not counts.empty():
                progress(*counts.get())
        if not (room / "done.pt").exists():
            raise PartError(f"{what}: they were interrupted")
    except (ProcessRaisedException, ProcessExitedException) as error:
        raise PartError(f"{what}: {_reason(room) or error}") from None
    finally:
        for one in processes.processes:
            if one.is_alive():
                one.kill()
            one.join()
        logger.setLevel(level)


def _reason(room: Path) -> str | None:
    """Why one failed: what we say ourselves first, that others lost their connection last."""
    said = [json.loads(file.read_text(encoding="utf-8")) for file in room.glob("failed.*")]
    ranked = sorted(said, key=lambda one: (not one[0], one[1]))
    return ranked[0][2] if ranked else None


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
