"""Students that fine-tune an encoder: a sequence head or a token head, by the task's kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.data import ABSTAINED, Annotations, BoolArray, FloatArray, IntArray, Kind, Pool
from harness.protocols import Aids, Progress, no_progress
from harness_plugins.encoders import bf16_pays, device
from harness_plugins.students.candidates import spread
from harness_plugins.students.encoder.pieces import cut_texts, make_pieces, said_of_cut
from harness_plugins.students.noise.auto_clean import corrected, resolve_auto
from harness_plugins.students.noise.estimate import (
    FOLDS,
    WrongLabels,
    unseen_by_words,
    wrong_labels,
)
from harness_plugins.students.settings import Head, Settings
from harness_plugins.students.sources import Source
from harness_plugins.students.training.training_data import Plan, TrainingData, training_rows

if TYPE_CHECKING:
    from harness_plugins.students.encoder.fitted import FittedEncoder
    from harness_plugins.students.encoder.heads import Classifier


class EncoderStudent:
    """Fine-tunes an encoder, from its pretrained weights each time.

    Args:
        classes: names in index order.
    """

    uses_variants = True
    has_dropout = True

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

    def cut(self, pool: Pool) -> dict[int, str]:
        """Rows of which it reads the beginning only (``abilities.cut``)."""
        length = self._settings.max_length
        tokenizer = self._source.tokenizer(self._source.folder, self._kind)
        return said_of_cut(cut_texts(pool, tokenizer, length), length)

    def fit(
        self, pool: Pool, annotations: Annotations, seed: int, progress: Progress, aids: Aids
    ) -> FittedEncoder:
        """Train on the answered examples; in low-budget mode also on the texts of the others."""
        import torch

        from harness_plugins.students.encoder.device import release_models

        release_models()
        whole = pool
        with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
            torch.manual_seed(seed)
            rows, annotations = spread(annotations)
            if len(rows) > len(pool):
                pool = pool.take(rows)
                variants = None if aids.variants is None else aids.variants.take(rows)
                aids = replace(aids, variants=variants)
            fitted = self.begin()
            self._warn(fitted, pool, annotations, aids)
            data = self.training_data(fitted, pool, annotations, aids)
            clean = self._train(fitted, data, seed, progress, aids)
            if clean is not None:
                read = rows[training_rows(annotations, self._settings)]
                fitted.clean = whole.ids, _of_pool(clean, data.pool, read, whole)
        return fitted

    def load(self, folder: Path) -> FittedEncoder:
        """A saved student, with the head that it was saved with."""
        from harness_plugins.students.encoder.fitted import saved_head

        return self._open(folder, saved_head(folder) or self._settings.head)

    def begin(self) -> FittedEncoder:
        """The encoder before training."""
        return self._open(self._source.folder, self._settings.head)

    def _open(self, folder: Path, head: Head) -> FittedEncoder:
        from harness_plugins.students.encoder.fitted import FittedEncoder

        model = self.model_maker(folder, head)()
        tokenizer = self._source.tokenizer(folder, self._kind)
        return FittedEncoder(model.to(device()), tokenizer, self._kind, self._settings)

    def model_maker(self, folder: Path, head: Head) -> Callable[[], Classifier]:
        """Makes the model of a folder, also in another process."""
        from harness_plugins.students.encoder.heads import load_classifier

        return partial(
            load_classifier,
            folder,
            self._kind,
            head,
            self._classes,
            attention_dropout=self._settings.attention_dropout,
            frozen_embeddings=self._settings.frozen_embeddings,
        )

    def _train(
        self, fitted: FittedEncoder, data: TrainingData, seed: int, progress: Progress, aids: Aids
    ) -> BoolArray | None:
        """Which units the last epoch counted as clean; None where all of them are used."""
        from harness_plugins.students.training import checkpoints
        from harness_plugins.students.training.trainer import train, train_together

        key = checkpoints.checkpoint_key(data, self._settings, self._source.identity, seed)
        found = checkpoints.Checkpoints(aids.checkpoints, key).find()
        wrong = found.wrong if found else self.start_head(fitted, data, seed)
        settings, note = resolve_auto(self._settings, wrong)
        if note:
            aids.note(note)
        epochs = settings.epochs_for(len(data.pool))
        if settings.clean != "all" and epochs <= settings.first_filtered(self._kind):
            aids.note(
                f"student: with student.epochs={epochs} no wrong labels are filtered; raise it"
            )
        adjusted = corrected(settings, wrong)
        kept = (aids.checkpoints, key, checkpoints.SECONDS)
        plan = Plan(data, settings, fitted.pad, seed, wrong, adjusted, *kept)
        if settings.processes > 1:
            make = self.model_maker(self._source.folder, settings.head)
            clean = train_together(fitted.model, make, plan, progress)
        else:
            clean = train(fitted.model, plan, progress, note=aids.note)
        if settings.feedback_epoch and aids.checkpoints is not None:
            fitted.earlier = self.begin()
            checkpoints.Checkpoints(aids.checkpoints, key).restore_earlier(fitted.earlier.model)
        filtered = settings.clean != "all" and epochs > settings.first_filtered(self._kind)
        return clean if filtered else None

    def training_data(
        self, fitted: FittedEncoder, pool: Pool, annotations: Annotations, aids: Aids
    ) -> TrainingData:
        """The examples that training reads, as word pieces with labels and weights."""
        settings = self._settings
        rows = training_rows(annotations, settings)
        read = pool.take(rows)
        variants = [] if aids.variants is None else [aids.variants.take(rows)]
        pieces = make_pieces(read, fitted.tokenizer, settings.max_length, *variants)
        chosen, classes = annotations.take(rows), len(self._classes)
        data = TrainingData.of(read, chosen, pieces[0], pieces[-1], settings, classes)
        given = int((annotations.labels != ABSTAINED).sum())
        if excluded := given - int(data.answered.sum()):
            aids.note(
                f"student: training leaves out {excluded:,} of {given:,} tokens: other occurrences "
                "of the same words have other labels; set student.agreement=false to use all"
            )
        return data

    def start_head(
        self, fitted: FittedEncoder, data: TrainingData, seed: int
    ) -> WrongLabels | None:
        """Estimate how many labels are wrong, and give a new ``mean`` head its first weights."""
        settings, classes = self._settings, len(self._classes)
        estimated = settings.transition or settings.clean == "auto"
        if self._kind == "token" or not (estimated or settings.probed(self._kind)):
            return None
        from harness_plugins.students.noise import probing

        rows = np.random.default_rng(seed).permutation(np.flatnonzero(data.answered))[:MOST]
        features = self._features(fitted, data.pool.take(rows))
        fit = features, data.labels[rows], data.weights[rows]
        wrong = unseen = None
        if estimated and len(rows) >= 2 * FOLDS:
            unseen = probing.unseen_by_probes(*fit, classes)
            compared = data.pool.take(rows[:COMPARED]).texts
            words = unseen_by_words(compared, fit[1][:COMPARED], classes)
            wrong = wrong_labels(unseen.log_probabilities, words, fit[1], data.doubted)
        if settings.probed(self._kind):
            confirmed = unseen if corrected(settings, wrong) else None
            penalty = settings.probe or 0.0
            head = probing.first_head(*fit, classes=classes, penalty=penalty, unseen=confirmed)
            fitted.model.set_head(*head)
        return wrong

    def _features(self, fitted: FittedEncoder, pool: Pool) -> FloatArray:
        """What probes read of a pool, float ``[n, width]``; a ``mean`` head gets the same scale."""
        from harness_plugins.students.noise import probing

        begun = self._settings.probed(self._kind)
        if begun:
            fitted.model.scale_by(0.0, 1.0)  # of a saved student there is a scale already
        features = probing.normalised(fitted.view(pool, no_progress).embeddings)
        if self._settings.standardised and len(pool) >= 2 * FOLDS:
            centre, scale = probing.centre_and_scale(features)
            features = (features - centre) / scale
            if begun:
                fitted.model.scale_by(centre, scale)
        return features

    def _warn(
        self, fitted: FittedEncoder, pool: Pool, annotations: Annotations, aids: Aids
    ) -> None:
        """Tell the user what in the data may harm training."""
        if self._settings.pairs and aids.variants is None:
            aids.note(
                "student: there are no variants, so each text is paired with itself under another "
                "dropout; student.augmenter makes variants (FreeAL: back-translation)"
            )
        counts = np.bincount(
            annotations.labels[annotations.labels >= 0], minlength=len(self._classes)
        )
        # In a token task the B- tags count the mentions.
        counted = range(1, len(counts), 2) if self._kind == "token" else range(len(counts))
        rare = [one for one in counted if counts[one] < FEW]
        few = [f"{self._classes[one].removeprefix('B-')} ({counts[one]})" for one in rare]
        if few:
            aids.note(f"student: few labels of {', '.join(few)}, hardly enough to learn them")
        length = self._settings.max_length
        if cut := cut_texts(pool, fitted.tokenizer, length):
            aids.note(
                f"student: {len(cut)} of {len(pool)} texts are longer than {length} word pieces "
                "and are cut there; a higher student.max_length reads more"
            )


def _of_pool(clean: BoolArray, read: Pool, rows: IntArray, pool: Pool) -> BoolArray:
    """Of the units of the whole pool, from those of the ``rows`` of it that training read.

    A row that was read several times, once for each of its candidates, is clean if one of them is.
    """
    found = np.zeros(int(pool.offsets[-1]), dtype=np.bool_)
    units = np.arange(len(clean)) + np.repeat(
        pool.offsets[rows] - read.offsets[:-1], np.diff(read.offsets)
    )
    found[units[clean]] = True
    return found


MOST = 20_000
"""Examples at most that a probe is fitted on, drawn by the seed."""
COMPARED = 5000
"""Of these, so many at most are compared with n-grams."""
FEW = 5
"""Fewer labels of a class give a warning."""
