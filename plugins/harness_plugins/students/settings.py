"""With which settings an encoder is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from harness.config import StudentConfig
from harness.data import Kind

__all__ = ["EncoderSettings"]

STEPS = 190
"""Optimiser steps that the default number of epochs aims at: two epochs of 3,000 texts at
batch 32, or ten of 300 sentences at batch 16."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Settings of plain fine-tuning with AdamW and a linear schedule.

    Attributes:
        epochs: passes over the answered examples; None: as many as make about 190
            steps, at least ``fewest_epochs`` and at most 10.
        batch_size: examples a step.
        learning_rate: peak of the encoder, after a warm-up over 10 % of the steps.
        head: where the labels are read off in sequence tasks (``students.heads``).
        head_factor: the head is new and learns faster by this factor. A slow encoder under
            a fast head keeps more of what it was pretrained for (results/LOG.md).
        weight_decay: of AdamW, on all weights but biases and layer norms.
        max_length: word pieces; longer texts are cut (sequence tasks), longer
            sentences are split into windows (token tasks).
        fewest_epochs: lower bound of the default number of epochs.
    """

    epochs: int | None
    batch_size: int
    learning_rate: float
    head_factor: float = 1.0
    head: Literal["cls", "mean"] = "cls"
    weight_decay: float = 0.01
    max_length: int = 128
    fewest_epochs: int = 2

    @classmethod
    def of(
        cls, config: StudentConfig, kind: Kind, head: Literal["cls", "mean"] = "cls"
    ) -> EncoderSettings:
        """The defaults of a kind of task, with what the user set."""
        default = (
            cls(epochs=None, batch_size=32, learning_rate=3e-5, head_factor=30)
            if kind == "sequence"
            else cls(epochs=None, batch_size=16, learning_rate=3e-4, fewest_epochs=3)
        )
        return cls(
            epochs=config.epochs,
            batch_size=config.batch_size or default.batch_size,
            learning_rate=config.learning_rate or default.learning_rate,
            head_factor=default.head_factor,
            head=head,
            fewest_epochs=default.fewest_epochs,
        )

    def epochs_for(self, examples: int) -> int:
        """Passes over so many examples."""
        if self.epochs is not None:
            return self.epochs
        wanted = math.ceil(STEPS * self.batch_size / max(1, examples))
        return min(10, max(self.fewest_epochs, wanted))

    def describe(self) -> dict[str, object]:
        """The settings as they are recorded."""
        return asdict(self)
