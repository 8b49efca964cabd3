"""Runs the training of a plan: in this process, or in several that share each batch."""

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
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.data import BoolArray
from harness.errors import PartError
from harness.protocols import Progress, no_progress
from harness_plugins.encoders import cores, device
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.training.checkpoints import Checkpoints
from harness_plugins.students.training.epochs import Trainer
from harness_plugins.students.training.parallel import ManyProcesses, OneProcess
from harness_plugins.students.training.training_data import Plan

POLL = 0.1
"""Seconds between two updates of the progress."""


def train(
    model: Classifier,
    plan: Plan,
    progress: Progress,
    processes: OneProcess | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> BoolArray:
    """Train from the start, or from the last checkpoint; ``note`` is for a line to the user.

    Returns:
        bool ``[units]``: the labels that the last epoch counted as clean.
    """
    checkpoints = Checkpoints(plan.checkpoints, plan.key, plan.seconds)
    trainer = Trainer(model, plan, processes, note=note)
    if found := checkpoints.find():
        found.restore(trainer)
    first = trainer.processes.rank == 0
    trainer.run(progress, lambda: checkpoints.save(trainer) if first else None)
    return trainer.clean


def train_together(
    model: Classifier, make: Callable[[], Classifier], plan: Plan, progress: Progress
) -> BoolArray:
    """The same in ``settings.processes`` processes, one a GPU, or sharing the CPU's cores.

    They are spawned, so a script that calls this must guard its own start by
    ``if __name__ == "__main__"``.

    Args:
        model: holds the first weights, and afterwards the trained ones.
        make: makes a model of the same shape in another process; picklable.
        plan: of the training.
        progress: of the first process.

    Returns:
        As ``train``.

    Raises:
        PartError: if a process fails.
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
    with _exchange(plan.checkpoints) as folder:
        torch.save(weights, folder / "start.pt")
        counts = multiprocessing.get_context("spawn").SimpleQueue()
        launched = PrepareForLaunch(_work, "MULTI_GPU" if cuda else "MULTI_CPU")
        with patch_environment(**_environment(size)):
            processes = start_processes(  # type: ignore[no-untyped-call]
                launched,
                args=(folder, counts, make, plan),
                nprocs=size,
                join=False,
                daemon=True,  # they end with this process, also while the others are started
                start_method="spawn",
            )
        _wait(processes, counts, progress, folder)
        done = torch.load(folder / "done.pt", weights_only=True)
    model.load_state_dict(done["weights"])
    model.to(device()).eval()
    return np.asarray(done["clean"].numpy())


@contextmanager
def _exchange(checkpoints: Path | None) -> Iterator[Path]:
    """An empty folder through which the processes exchange files."""
    if checkpoints is None:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    folder = checkpoints / "together"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(size: int) -> dict[str, str]:
    """Variables by which the processes find each other; they override those of a cluster's job."""
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


def _work(folder: Path, counts: Any, make: Callable[[], Classifier], plan: Plan) -> None:
    """The work of one process; an error that ends it is written to a file."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    rank = os.environ["RANK"]
    try:
        own = ManyProcesses()
        model = make().to(device())
        model.load_state_dict(torch.load(folder / "start.pt", weights_only=True))
        torch.manual_seed(plan.seed)
        told = no_progress if own.rank else lambda *done: counts.put(done)
        clean = train(model, plan, told, own)
        if own.rank == 0:
            done = {"weights": _weights(model), "clean": torch.from_numpy(clean.copy())}
            torch.save(done, folder / "done.tmp")
            (folder / "done.tmp").rename(folder / "done.pt")
        torch.distributed.destroy_process_group()
        os._exit(0)  # the interpreter's own end aborts now and then while a thread waits
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        kind = (isinstance(error, PartError), isinstance(error, torch.distributed.DistError))
        why = first if kind[0] else f"{type(error).__name__}: {first}"
        (folder / f"failed.{rank}").write_text(json.dumps([*kind, why]), encoding="utf-8")
        raise


def _end_with_parent() -> None:
    """A parent that was killed must not leave trainings behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _weights(model: Classifier) -> dict[str, torch.Tensor]:
    return {name: one.cpu() for name, one in model.state_dict().items()}


def _wait(processes: Any, counts: Any, progress: Progress, folder: Path) -> None:
    """Pass progress on until all have ended; if this process stops, they stop."""
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

    logger = logging.getLogger("torch.multiprocessing.spawn")
    level = logger.level
    logger.setLevel(logging.ERROR)  # no lines on those that it ends because one failed
    what = f"training in {len(processes.processes)} processes"
    try:
        ended = False
        while not ended:
            ended = processes.join(timeout=POLL)
            while not counts.empty():
                progress(*counts.get())
        if not (folder / "done.pt").exists():
            raise PartError(f"{what}: they were interrupted")
    except (ProcessRaisedException, ProcessExitedException) as error:
        raise PartError(f"{what}: {_reason(folder) or error}") from None
    finally:
        for one in processes.processes:
            if one.is_alive():
                one.kill()
            one.join()
        logger.setLevel(level)


def _reason(folder: Path) -> str | None:
    """Why one failed: our own errors come first, lost connections to the others last."""
    errors = [json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("failed.*")]
    ranked = sorted(errors, key=lambda one: (not one[0], one[1]))
    return ranked[0][2] if ranked else None


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
