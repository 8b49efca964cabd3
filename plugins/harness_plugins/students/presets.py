"""Named sets of training settings: ``plain``, ``paper`` and ``default``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, get_args

from pydantic import BaseModel

from harness.data import Kind
from harness_plugins.students.settings import PRESETS, EncoderKeys, Settings
from harness_plugins.students.sources import Source

AT_RANDOM: Mapping[str, Any] = {"fewest_epochs": 3, "most_epochs": 10, "steps": 190}
"""A head that starts at random needs more steps: ten epochs of 300 sentences or 600 texts."""
FILTERED: Mapping[str, Any] = {"most_epochs": 12, "steps": 400, "warmup_epochs": 3}
"""Such a head where labels are filtered: training does not memorise the wrong ones, and needs
still more steps; the losses of the first epochs mean nothing."""
PAPER: Mapping[str, Any] = {
    "epochs": 50,
    "batch_size": 32,
    "learning_rate": 3e-5,
    "rising": 0.0,
    "max_length": 128,
    "probe": None,
    "frozen_embeddings": False,
    "attention_dropout": True,
    "sorted_batches": 1,
    "clean": "mixture",
    "mixup": 1.0,
    "augmented": 1.0,
    "consistency": 1.0,
}
"""FreeAL (Xiao et al., EMNLP 2023), section 3.3 and the reference code, which differ in
``consistency_reduction``. The paper has no token task: the same terms apply to tokens, and
``noise.mixture`` is ours there."""
DEFAULT: Mapping[Kind, Mapping[str, Any]] = {
    "sequence": {
        "fewest_epochs": 4,
        "most_epochs": 4,
        "weighted": True,
        "transition": True,
        "clean": "auto",
        "clean_groups": "class",
        "warmup_epochs": 0,
        "ramp_epochs": 0.0,
        "mixup": 1.0,
        "ema": 0.98,
        "few_wrong": {"mixup": 0.0, "ema": 0.0, "fewest_epochs": 2, "most_epochs": 3},
    },
    "token": {
        "weighted": True,
        "clean": "mixture",
        "clean_groups": "class",
        "agreement": True,
        "ramp_epochs": 0.0,
        "mixup": 1.0,
        "ema": 0.98,
    },
}
"""Ours; results/LOG.md has what was tried."""
UNPROBED: Mapping[Kind, Mapping[str, Any]] = {
    "sequence": {
        "fewest_epochs": 5,
        "few_wrong": {**DEFAULT["sequence"]["few_wrong"], **AT_RANDOM},
    },
    "token": {},
}
"""What ``DEFAULT`` changes for a head at random."""
WARMING = 4
"""Of ``paper`` warm-up and ramp-up are at most one part in so many of ``epochs`` that are set."""


def settings_of(
    keys: BaseModel | None, kind: Kind, source: Source, *, augmented: bool = False
) -> Settings:
    """The settings of the preset that a configuration names, with the keys that it sets.

    Args:
        keys: ``EncoderKeys``; None: their defaults.
        augmented: the run has an augmenter, so its variants are used.
    """
    own = {} if keys is None else keys.model_dump(exclude_none=True)
    preset = own.pop("preset", "default")
    head = own.get("head", source.head(preset))
    settings = _of_preset(preset, kind, source, at_random=kind == "token" or head == "cls")
    settings = replace(settings, head=head)
    if preset == "default" and "learning_rate" not in own and kind == "sequence":
        settings = replace(settings, careful_rate=source.careful_rate)
    if augmented and not settings.pairs:
        settings = replace(settings, augmented=1.0)
    kept = {key: value for key, value in settings.few_wrong.items() if key not in own}
    settings = replace(settings, few_wrong=kept)
    if epochs := own.get("epochs"):
        settings = _shortened(settings, epochs, WARMING if preset == "paper" else 1)
    return replace(settings, **own)


def _of_preset(preset: str, kind: Kind, source: Source, *, at_random: bool) -> Settings:
    """The settings of a preset; ``at_random``: the head that it trains starts at random."""
    settings = Settings(
        standardised=not source.tuned_for_mean and preset != "paper",
        learning_rate=source.rates[kind],
        batch_size=16 if kind == "token" else 32,
    )
    if at_random:
        settings = replace(settings, **AT_RANDOM)
    if preset == "paper":
        settings = replace(settings, **PAPER)
    if preset == "default":
        settings = replace(settings, **DEFAULT[kind])
        if at_random:
            settings = replace(settings, **FILTERED, **UNPROBED[kind])
    return settings


def _shortened(settings: Settings, epochs: int, part: int) -> Settings:
    """Settings whose warm-up leaves an epoch, and takes with the ramp-up one ``part`` each."""
    warmup = min(settings.warmup_epochs, epochs // part, epochs - 1)
    ramp = min(settings.ramp_epochs, epochs / part)
    return replace(settings, warmup_epochs=warmup, ramp_epochs=ramp)


def by_preset(source: Source) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    """The value of every key by preset and kind of task, for an encoder."""
    return {
        preset: {
            kind: _shown(settings_of(EncoderKeys(preset=preset), kind, source)) | {"preset": preset}
            for kind in get_args(Kind)
        }
        for preset in PRESETS
    }


def _shown(settings: Settings) -> dict[str, object]:
    few, many = settings.fewest_epochs, settings.most_epochs
    epochs = settings.epochs or (few if few == many else f"{few}-{many}")
    return asdict(settings) | {"epochs": epochs}
