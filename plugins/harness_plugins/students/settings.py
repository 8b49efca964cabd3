"""The settings of training an encoder; most are configuration keys of the same name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from harness.data import Kind

Head: TypeAlias = Literal["cls", "mean"]
Preset: TypeAlias = Literal["default", "paper", "plain"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
DOCUMENTED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True, config=DOCUMENTED)
class Keyed:
    """Settings with a key, such as ``student.mixup``. Its defaults are preset ``plain``."""

    epochs: int | None = Field(default=None, ge=1, strict=True)
    """Passes over the pool; unset: as many as the preset's number of steps takes."""
    batch_size: int = Field(default=32, ge=1, strict=True)
    """Examples per optimiser step."""
    learning_rate: float = Field(default=3e-5, gt=0, allow_inf_nan=False)
    """Peak learning rate of AdamW."""
    careful_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The same where clean is auto and the labels look wrong; unset: the encoder's own, or
    learning_rate where that is set. At a high rate wrong labels are memorised, and their loss no
    longer differs from that of right ones."""
    max_length: int = Field(default=128, ge=8, strict=True)
    """Word pieces: longer texts are cut there; longer sentences are read in windows."""
    head: Head = "mean"
    """What a text is classified by: the mean over word pieces, whose head starts from a linear
    probe (paper: at random), or the sentence token, whose head starts at random and trains longer.
    Encoders of type bert, roberta, xlm-roberta and camembert have mean, others cls."""
    weighted: bool = False
    """Weigh each label by the annotator's confidence, where there is one."""
    clean: Literal["all", "mixture", "auto"] = "all"
    """Which labels training uses: all; those of small loss, by a Gaussian mixture; or (auto, texts
    only) those of small loss unless an estimate finds few wrong labels: then all, without mixup
    and averaging and in fewer epochs, unless mixup, ema and epochs are set."""
    clean_threshold: float = Field(default=0.7, ge=0, le=1)
    """Probability of the mixture's lower component above which a label counts as clean."""
    clean_by: Literal["unit", "example"] = "unit"
    """What the mixture classifies: each text or token, or each whole sentence by its mean loss."""
    clean_groups: Literal["all", "class"] = "all"
    """One mixture over all losses (tokens: one for O, one for mentions), or one for each class."""
    agreement: bool = False
    """Leave out labels that other occurrences of the same words contradict (token tasks)."""
    warmup_epochs: int = Field(default=4, ge=0, strict=True)
    """Epochs in which all labels count as clean; unset, fewer where epochs is small (paper: a
    quarter at most)."""
    ramp_epochs: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    """Epochs until mixup, variants and consistency have their full weight; unset, fewer where
    epochs is small (paper: a quarter at most)."""
    mixup: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Weight of mixup of representations; 0: off."""
    mixup_alpha: float = Field(default=4.0, gt=0, allow_inf_nan=False)
    """Parameter of the Beta distribution of mixup's shares."""
    augmented: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Weight of cross-entropy on the variants of clean examples; 0: off. With student.augmenter
    it is 1, unless the preset or the configuration sets it."""
    consistency: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Weight of the consistency between examples and their variants; 0: off."""
    consistency_over: Literal["rest", "all"] = "rest"
    """The units with that term: those that are not clean, or all."""
    consistency_reduction: Literal["sum", "mean"] = "sum"
    """Over a batch: the sum (the paper's code) or the mean (its text)."""
    temperature: float = Field(default=0.85, gt=0, allow_inf_nan=False)
    """Sharpening of the consistency (UDA)."""
    unlabelled: bool = False
    """Examples without an answer take part in the consistency (low-budget mode)."""
    transition: bool = False
    """Where labels look wrong, correct for those that the annotator gives too often: begin with
    labels that models confirm which have not seen them, and learn all classes alike."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of the averaged weights that predict pools; 0: the last weights do."""
    feedback_epoch: int = Field(default=0, ge=0, strict=True)
    """Feedback (trust, demonstrations, queries) is taken from the student after so many epochs; 0:
    after training (FreeAL's text; its code: 1)."""
    processes: int = Field(default=1, ge=1, strict=True)
    """Processes that share each batch, one for each GPU, or on the CPU's cores; at most
    batch_size."""
    graphs: bool = True
    """On an NVIDIA GPU: launch a training step as one CUDA graph, several times as fast."""


@dataclass(frozen=True, slots=True, config=DOCUMENTED)
class Settings(Keyed):
    """All settings of training with AdamW and a linear schedule."""

    rising: float = 0.1
    """Share of the steps over which the rate rises to its peak."""
    weight_decay: float = 0.01
    """Of AdamW, on all weights but biases and layer norms."""
    probe: float | None = 0.03
    """Penalty of the linear probe that a ``mean`` head starts with (``noise.probing``); None:
    the head starts at random."""
    standardised: bool = False
    """Bring all dimensions to one scale before the probe (``probing.centre_and_scale``)."""
    frozen_embeddings: bool = True
    """Word embeddings stay as pretrained: they are half of a small encoder's weights and an eighth
    of its training time."""
    attention_dropout: bool = False
    """Drop attention weights, as in pretraining."""
    sorted_batches: int = 4
    """Batches whose rows are sorted by length, for less padding; the more, the oftener the same
    texts meet."""
    steps: int = 60
    """About so many optimiser steps where ``epochs`` is None."""
    fewest_epochs: int = 2
    """Then at least so many."""
    most_epochs: int = 3
    """Then at most so many."""

    few_wrong: Mapping[str, int | float] = Field(default_factory=dict)
    """Settings that change where ``clean`` is auto and few labels look wrong."""

    def epochs_for(self, examples: int) -> int:
        """Passes over a number of examples."""
        if self.epochs is not None:
            return self.epochs
        wanted = math.ceil(self.steps * self.batch_size / max(1, examples))
        return min(self.most_epochs, max(self.fewest_epochs, wanted))

    @property
    def least_epochs(self) -> int:
        """So many epochs has any training."""
        least = self.few_wrong.get("fewest_epochs", self.fewest_epochs)
        return self.epochs or int(min(self.fewest_epochs, least))

    def probed(self, kind: Kind) -> bool:
        """Whether training begins with a probe's head, not one at random."""
        return kind == "sequence" and self.head == "mean" and self.probe is not None

    def first_filtered(self, kind: Kind) -> int:
        """The first epoch in which not all labels count as clean: the losses of a head at random
        mean nothing."""
        return max(0 if self.probed(kind) else 1, self.warmup_epochs)

    @property
    def pairs(self) -> bool:
        """Whether each unit is computed twice: itself and its variant."""
        return self.augmented > 0 or self.consistency > 0

    def describe(self) -> dict[str, object]:
        """The settings as they are recorded."""
        return asdict(self)


def _unset(field: FieldInfo) -> Any:
    """A setting as a key, None where the configuration does not set it."""
    kind: Any = field.annotation
    optional = FieldInfo.merge_field_infos(field, annotation=kind | None, default=None)
    return (optional.annotation, optional)


class _Preset(BaseModel):
    model_config = ConfigDict(frozen=True, **DOCUMENTED)

    preset: Preset = "default"
    """Training settings: ours; those of the FreeAL paper and its code; cross-entropy alone."""


EncoderKeys = create_model(
    "EncoderKeys",
    __base__=_Preset,
    __doc__="The configuration keys of students that train an encoder; unset: the preset's.",
    **{name: _unset(field) for name, field in vars(Keyed)["__pydantic_fields__"].items()},
)
