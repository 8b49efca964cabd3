"""Checkpoints: a killed training goes on from the last one."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.errors import PartError
from harness_plugins.encoders import device
from harness_plugins.students.encoder.heads import Classifier
from harness_plugins.students.noise.estimate import WrongLabels
from harness_plugins.students.settings import Settings
from harness_plugins.students.training.epochs import Trainer
from harness_plugins.students.training.training_data import TrainingData

FILE, EARLIER = "training.safetensors", "earlier.safetensors"
FORM = 4
"""Of the file; 1 also averaged weights that are not trained, 2 had a matrix of confusions, 3 the
state of another optimiser."""
SECONDS = 20.0
"""Of training between two checkpoints."""


class Found:
    """A checkpoint in memory: tensors by name, and everything else as JSON."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
        self._tensors, self._about = tensors, about

    @property
    def wrong(self) -> WrongLabels | None:
        """What was estimated before training."""
        found = self._about["wrong"]
        return None if found is None else WrongLabels(**found)

    def restore(self, trainer: Trainer) -> None:
        """Set a new trainer to the state of the earlier one, random numbers included."""
        with torch.no_grad():
            for index, own in enumerate(trainer.model.parameters()):
                own.copy_(self._tensors[f"model.{index}"])
            for index, average in enumerate(trainer.average.weights if trainer.average else ()):
                average.copy_(self._tensors[f"average.{index}"])
            for index, moment in enumerate(trainer.optimizer.state):
                moment.copy_(self._tensors[f"optimizer.{index}"])
        trainer.step = int(self._about["step"])
        trainer.clean = np.asarray(self._tensors["clean"].numpy())
        trainer.rng.bit_generator.state = self._about["rng"]
        torch.set_rng_state(self._tensors["torch"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state(self._tensors["cuda"])


class Checkpoints:
    """The files of one training: its last checkpoint, and the weights of an earlier epoch.

    Args:
        folder: an existing one; None: nothing is kept.
        key: of ``checkpoint_key``; a file with another key is not used.
        seconds: of training between two checkpoints.
    """

    def __init__(self, folder: Path | None, key: str, seconds: float = 0.0) -> None:
        self._folder = folder
        self._key, self._last, self._seconds = key, time.monotonic(), seconds

    def find(self) -> Found | None:
        """The earlier checkpoint; None where it is missing, damaged or of another training."""
        return None if (found := self._read(FILE)) is None else Found(*found)

    def _read(self, name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        from safetensors import SafetensorError, safe_open

        if self._folder is None or not (self._folder / name).exists():
            return None
        try:
            with safe_open(self._folder / name, framework="pt") as opened:
                about = json.loads(opened.metadata()["about"])
                if about["key"] != self._key:
                    return None
                return {key: opened.get_tensor(key) for key in opened.keys()}, about  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, trainer: Trainer) -> None:
        """Write the state after an epoch, unless the last checkpoint is recent."""
        if self._folder is not None and trainer.epochs_done == trainer.settings.feedback_epoch:
            self._write(EARLIER, _predicting(trainer), {})
        if self._folder is None or time.monotonic() - self._last < self._seconds:
            return
        self._write(FILE, *_state(trainer))
        self._last = time.monotonic()

    def restore_earlier(self, model: Classifier) -> None:
        """Give a model of the same shape the weights after ``student.feedback_epoch``.

        Raises:
            PartError: if they are damaged.
        """
        if (found := self._read(EARLIER)) is None:
            raise PartError("the student's earlier weights are damaged; --fresh trains it anew")
        with torch.no_grad():
            for index, own in enumerate(model.parameters()):
                own.copy_(found[0][f"model.{index}"])

    def _write(
        self, name: str, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]
    ) -> None:
        from safetensors.torch import save_file

        assert self._folder is not None
        temporary = self._folder / f"{name}.tmp"
        metadata = {"about": json.dumps({"key": self._key, **about})}
        save_file({key: one.contiguous() for key, one in tensors.items()}, temporary, metadata)
        temporary.replace(self._folder / name)


def checkpoint_key(data: TrainingData, settings: Settings, source: str, seed: int) -> str:
    """A hash of all that decides what training does, the kind of device included: a GPU cannot
    go on with a CPU's random numbers."""
    deciding = [FORM, settings.describe(), source, seed, device().type]
    digest = hashlib.sha256(json.dumps(deciding).encode())
    for part in (data.pieces, data.variants):
        for values in (part.ids, part.starts, part.units):
            digest.update(values.tobytes())
    digest.update(data.labels.tobytes())
    digest.update(data.weights.tobytes())
    return digest.hexdigest()


def _state(trainer: Trainer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors = {f"model.{i}": one.detach() for i, one in enumerate(trainer.model.parameters())}
    if trainer.average:
        tensors |= {f"average.{i}": one for i, one in enumerate(trainer.average.weights)}
    tensors |= {f"optimizer.{i}": one for i, one in enumerate(trainer.optimizer.state)}
    tensors["clean"] = torch.from_numpy(np.array(trainer.clean))
    tensors["torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    about = {
        "step": trainer.step,
        "wrong": None if trainer.wrong is None else asdict(trainer.wrong),
        "rng": trainer.rng.bit_generator.state,
    }
    return tensors, about


def _predicting(trainer: Trainer) -> dict[str, torch.Tensor]:
    """The weights that predict pools now: the averaged ones, if there are any."""
    averaged = iter(trainer.average.weights if trainer.average else ())
    return {
        f"model.{index}": (next(averaged, one) if one.requires_grad else one).detach()
        for index, one in enumerate(trainer.model.parameters())
    }
