"""Students that fine-tune an encoder: a sequence head or a token head, by the task's kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.data import ABSTAINED, Annotations, Kind, Pool
from harness.protocols import Aids, Progress, no_progress
from harness_plugins.encoders import bf16_pays, device, quiet_transformers
from harness_plugins.students.encoder.pieces import cut_texts, make_pieces
from harness_plugins.students.noise.auto_clean import judged, said_of
from harness_plugins.students.settings import Settings
from harness_plugins.students.sources import Source
from harness_plugins.students.training.training_data import Begun, Lesson, lesson_rows, make_lesson

if TYPE_CHECKING:
    from harness_plugins.students.encoder.fitted import FittedEncoder
    from harness_plugins.students.encoder.heads import Classifier


class EncoderStudent:
    """Fine-tunes an encoder, from its pretrained weights each time.

    Args:
        source: where the encoder is.
        kind: of the task.
        classes: names in index order.
        settings: of training.
    """

    uses_variants = True

    def __init__(
        self, source: Source, kind: Kind, classes: tuple[str, ...], settings: Settings
    ) -> None:
        self._source, self._kind, self._classes = source, kind, classes
        self._settings = settings

    @property
    def fingerprint(self) -> str:
        """The encoder's version: another one gives other numbers."""
        return self._source.identity

    def describe(self) -> dict[str, object]:
        """The settings with which it works."""
        return {
            "encoder": self._source.identity,
            "device": str(device()),
            "autocast": "bfloat16" if bf16_pays() else "float32",
            **self._settings.describe(),
        }

    def fit(
        self, pool: Pool, annotations: Annotations, seed: int, progress: Progress, aids: Aids
    ) -> FittedEncoder:
        """Train on the answered examples, in low-budget mode on the others' texts, too."""
        import torch

        with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
            torch.manual_seed(seed)
            fitted = self.load(self._source.folder)
            self._warn(fitted, pool, annotations, aids)
            lesson = self._lesson(fitted, pool, annotations, aids)
            self._train(fitted, lesson, seed, progress, aids)
        return fitted

    def load(self, folder: Path) -> FittedEncoder:
        """The encoder of a folder with the head that it has, or else a new one."""
        from harness_plugins.students.encoder.fitted import FittedEncoder

        quiet_transformers()
        model = self._making(folder)()
        tokenizer = self._source.tokenizer(folder, self._kind)
        return FittedEncoder(model.to(device()), tokenizer, self._kind, self._settings)

    def _making(self, folder: Path) -> Callable[[], Classifier]:
        from harness_plugins.students.encoder.heads import load_classifier

        return partial(
            load_classifier,
            folder,
            self._kind,
            self._settings.head,
            self._classes,
            attention_dropout=self._settings.attention_dropout,
            frozen_embeddings=self._settings.frozen_embeddings,
        )

    def _train(
        self, fitted: FittedEncoder, lesson: Lesson, seed: int, progress: Progress, aids: Aids
    ) -> None:
        from harness_plugins.students.training.checkpoints import Checkpoints, lesson_key
        from harness_plugins.students.training.trainer import Plan, train, train_together

        key = lesson_key(lesson, self._settings, self._source.identity, seed)
        found = Checkpoints(aids.checkpoints, key).find()
        begun = found.begun if found else self._begin(fitted, lesson, seed)
        labels = int(lesson.answered.sum())
        if said := said_of(self._settings, begun.wrong, labels):
            aids.note(said)
        settings = judged(self._settings, begun.wrong, labels)
        plan = Plan(lesson, settings, fitted.pad, seed, begun, aids.checkpoints, key)
        if settings.processes > 1:
            train_together(fitted.model, self._making(self._source.folder), plan, progress)
        else:
            train(fitted.model, plan, progress)

    def _lesson(
        self, fitted: FittedEncoder, pool: Pool, annotations: Annotations, aids: Aids
    ) -> Lesson:
        settings = self._settings
        rows = lesson_rows(annotations, settings)
        seen = pool.take(rows)
        variants = [] if aids.variants is None else [aids.variants.take(rows)]
        pieces = make_pieces(seen, fitted.tokenizer, settings.max_length, *variants)
        lesson = make_lesson(
            seen, annotations.take(rows), pieces[0], pieces[-1], settings, len(self._classes)
        )
        given = int((annotations.labels != ABSTAINED).sum())
        if doubted := given - int(lesson.answered.sum()):
            aids.note(
                f"student: {doubted:,} of {given:,} tokens are not learnt: other occurrences of "
                "the same words have other labels (student.agreement)"
            )
        return lesson

    def _begin(self, fitted: FittedEncoder, lesson: Lesson, seed: int) -> Begun:
        """Give a new ``mean`` head its first weights; find out how wrong the labels are."""
        settings = self._settings
        probed = settings.head == "mean" and settings.probe is not None
        asked = settings.transition or settings.clean == "auto"
        if self._kind == "token" or not (probed or asked):
            return Begun()
        from harness_plugins.students.noise.probing import begin

        rows = np.flatnonzero(lesson.answered)
        found = begin(
            fitted.view(lesson.pool, no_progress).embeddings[rows],
            lesson.labels[rows],
            lesson.weights[rows],
            classes=len(self._classes),
            penalty=PENALTY if settings.probe is None else settings.probe,
            estimate=settings.clean == "auto",
            correct=settings.transition,
            seed=seed,
        )
        if probed:
            fitted.model.set_head(found.weights, found.bias)
        return Begun(found.transition, found.wrong)

    def _warn(
        self, fitted: FittedEncoder, pool: Pool, annotations: Annotations, aids: Aids
    ) -> None:
        """Say what a user should know of the data before training on it."""
        if self._settings.pairs and aids.variants is None:
            aids.note(
                "student: each text is paired with itself under another dropout; "
                "student.augmenter makes variants (FreeAL's: back-translation)"
            )
        counts = np.bincount(
            annotations.labels[annotations.labels >= 0], minlength=len(self._classes)
        )
        # Of a token task's classes the beginnings of mentions say how many there are.
        said = range(1, len(counts), 2) if self._kind == "token" else range(len(counts))
        rare = [one for one in said if counts[one] < FEW]
        few = [f"{self._classes[one].removeprefix('B-')} ({counts[one]})" for one in rare]
        if few:
            aids.note(f"student: few labels of {', '.join(few)}: hardly enough to learn them")
        length = self._settings.max_length
        if cut := cut_texts(pool, fitted.tokenizer, length):
            aids.note(
                f"student: {cut} of {len(pool)} texts are longer than {length} word pieces and "
                "are read to there; student.max_length reads on"
            )


PENALTY = 0.03
"""Of the probes that estimate confusions where the head does not begin with one."""
FEW = 5
"""Labels of a class under which it is named in a warning."""
