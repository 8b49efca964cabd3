"""With which settings an encoder is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from harness.config import StudentConfig
from harness.data import Kind

__all__ = ["EncoderSettings"]

STEPS = {"sequence": 60, "token": 190}
"""Optimiser steps that the default number of epochs aims at: two or three epochs for a probed
head, which begins near its goal; for a token head ten of 300 sentences at batch 16."""
MOST_EPOCHS = {"sequence": 3, "token": 10}


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Settings of plain fine-tuning with AdamW and a linear schedule.

    Attributes:
        epochs: passes over the answered examples; None: as many as make about ``steps``
            optimiser steps, at least ``fewest_epochs`` and at most ``most_epochs``.
        batch_size: examples a step.
        learning_rate: peak of the encoder, after a warm-up over 10 % of the steps.
        head: where the labels are read off in sequence tasks (``students.heads``).
        probe: inverse penalty of the logistic regression on the frozen encoder that a
            ``mean`` head begins with (``students.probing``).
        weight_decay: of AdamW, on all weights but biases and layer norms.
        max_length: word pieces; longer texts are cut (sequence tasks), longer
            sentences are split into windows (token tasks).
        weighted: weigh each label by its confidence (``students.weights``).
        steps, fewest_epochs, most_epochs: bounds of the default number of epochs.
    """

    epochs: int | None
    batch_size: int
    learning_rate: float
    probe: float = 0.03
    head: Literal["cls", "mean"] = "cls"
    weight_decay: float = 0.01
    max_length: int = 128
    weighted: bool = True
    steps: int = STEPS["sequence"]
    fewest_epochs: int = 2
    most_epochs: int = MOST_EPOCHS["sequence"]

    @classmethod
    def of(
        cls, config: StudentConfig, kind: Kind, head: Literal["cls", "mean"] = "cls"
    ) -> EncoderSettings:
        """The defaults of a kind of task, with what the user set."""
        default = (
            cls(epochs=None, batch_size=32, learning_rate=3e-5)
            if kind == "sequence"
            else cls(epochs=None, batch_size=16, learning_rate=3e-4, fewest_epochs=3)
        )
        return cls(
            epochs=config.epochs,
            batch_size=config.batch_size or default.batch_size,
            learning_rate=config.learning_rate or default.learning_rate,
            head=head,
            weighted=config.weighted,
            steps=STEPS[kind],
            fewest_epochs=default.fewest_epochs,
            most_epochs=MOST_EPOCHS[kind],
        )

    def epochs_for(self, examples: int) -> int:
        """Passes over so many examples."""
        if self.epochs is not None:
            return self.epochs
        wanted = math.ceil(self.steps * self.batch_size / max(1, examples))
        return min(self.most_epochs, max(self.fewest_epochs, wanted))

    def describe(self) -> dict[str, object]:
        """The settings as they are recorded."""
        return asdict(self)
