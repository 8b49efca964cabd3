"""With which settings an encoder is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

__all__ = ["Head", "Settings"]

Head: TypeAlias = Literal["cls", "mean"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of training with AdamW and a linear schedule; presets are in ``presets``.

    Attributes:
        epochs: passes over the examples; None: as many as make about ``steps`` optimiser
            steps, at least ``fewest_epochs`` and at most ``most_epochs``.
        batch_size: examples a step.
        learning_rate: peak.
        careful_rate: peak where ``clean`` is ``auto`` and finds many labels wrong, or all of them
            foreseen (``students.judging``): wrong labels that are learnt by heart can no longer
            be told from right ones by their loss; None: the same.
        rising: share of the steps over which the rate rises to it.
        weight_decay: of AdamW, on all weights but biases and layer norms.
        max_length: word pieces; longer texts are cut (sequence tasks), longer sentences
            are split into windows (token tasks).
        head: where the labels are read off in sequence tasks (``students.heads``).
        probe: inverse penalty of the linear probe that a ``mean`` head begins with; None:
            the head begins at random (``students.probing``).
        frozen_embeddings: word embeddings stay as pretrained. They are half of a small
            encoder's weights and an eighth of its training time.
        attention_dropout: drop attention weights as the encoder was pretrained.
        weighted: weigh each label by its confidence (``students.weights``).
        clean: which answered units count as clean: ``all``, or those of small loss by a
            ``mixture`` that is fitted at the start of each epoch (``students.mixture``);
            ``auto``: all where the estimated share of wrong labels is little
            (``students.judging``), else by the mixture.
        clean_threshold: probability of the lower component above which a unit is clean.
        clean_by: whether the mixture judges each ``unit`` (token tasks: a distrusted token
            is masked) or each ``example`` by its mean loss.
        clean_groups: whether one mixture judges ``all`` losses (token tasks: one those of
            ``O``, one those of mentions), or one those of each ``class`` of annotation.
        agreement: a token is not learnt where other occurrences of the same words contradict
            its label (``students.agreement``); it is one of the rest for the consistency.
        warmup_epochs: epochs before the mixture is used; all answered units are clean then.
        ramp_epochs: epochs until the terms below have their full weight.
        mixup: weight of cross-entropy on mixed clean units.
        mixup_alpha: of the Beta distribution.
        augmented: weight of cross-entropy on the variants of clean units.
        consistency: weight of the consistency between units and their variants.
        consistency_over: the ``rest`` (units that are not clean) or ``all``.
        consistency_reduction: ``sum`` over the batch (reference code) or ``mean`` (paper).
        temperature: of the consistency's sharpening.
        unlabelled: units without an answer take part in the consistency (low-budget mode).
        transition: correct for the annotator's estimated confusions (``students.transition``).
        ema: decay of the averaged weights that look at pools; 0: the last weights do.
        processes: that share each batch, one a GPU, or sharing the CPU's cores
            (``students.team``).
        steps, fewest_epochs, most_epochs: bounds of the default number of epochs.
    """

    epochs: int | None = None
    batch_size: int = 32
    learning_rate: float = 3e-5
    careful_rate: float | None = None
    rising: float = 0.1
    weight_decay: float = 0.01
    max_length: int = 128
    head: Head = "cls"
    probe: float | None = 0.03
    frozen_embeddings: bool = True
    attention_dropout: bool = False
    weighted: bool = False
    clean: Literal["all", "mixture", "auto"] = "all"
    clean_threshold: float = 0.7
    clean_by: Literal["unit", "example"] = "unit"
    clean_groups: Literal["all", "class"] = "all"
    agreement: bool = False
    warmup_epochs: int = 4
    ramp_epochs: float = 10.0
    mixup: float = 0.0
    mixup_alpha: float = 4.0
    augmented: float = 0.0
    consistency: float = 0.0
    consistency_over: Literal["rest", "all"] = "rest"
    consistency_reduction: Literal["sum", "mean"] = "sum"
    temperature: float = 0.85
    unlabelled: bool = False
    transition: bool = False
    ema: float = 0.0
    processes: int = 1
    steps: int = 60
    fewest_epochs: int = 2
    most_epochs: int = 3

    def epochs_for(self, examples: int) -> int:
        """Passes over so many examples."""
        if self.epochs is not None:
            return self.epochs
        wanted = math.ceil(self.steps * self.batch_size / max(1, examples))
        return min(self.most_epochs, max(self.fewest_epochs, wanted))

    @property
    def pairs(self) -> bool:
        """Whether every unit is looked at twice: with its variant."""
        return self.augmented > 0 or self.consistency > 0

    def describe(self) -> dict[str, object]:
        """The settings as they are recorded."""
        return asdict(self)
