"""Simulated annotators, for upper bounds and for controlled noise.

They read gold labels, so every run with one is marked supervised, and their replies say
``simulated``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness.data import Annotations, Demonstrations, FloatArray, Gold, IntArray, Pool, TaskCard
from harness.errors import CommandError, DataError
from harness.iob2 import spans_of
from harness.protocols import AnnotatorRequest, Progress, SupervisedAnnotator

REPLY = "simulated"


class OracleAnnotator:
    """Answers with the gold labels: the upper bound of any annotator."""

    needs_gold: Literal[True] = True

    @classmethod
    def from_request(cls, request: AnnotatorRequest) -> OracleAnnotator:
        """An oracle takes no options."""
        request.spec.no_argument()
        request.spec.check_options()
        return cls()

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress, gold: Gold
    ) -> Annotations:
        """The gold labels."""
        progress(len(pool), len(pool))
        return Annotations.of(gold.labels, pool.offsets, replies=[REPLY] * len(pool))


class NoisyAnnotator:
    """Gold labels of a sequence task, changed by a confusion matrix.

    Args:
        confusion: float ``[classes, classes]``; row: gold class, column: answered
            class, each row sums to 1.
        seed: decides each answer together with the example's id.
    """

    needs_gold: Literal[True] = True

    def __init__(self, confusion: FloatArray, seed: int) -> None:
        self._cumulative = np.cumsum(confusion, axis=1)
        self._seed = seed

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the confusion matrix: the content of the file that it came from."""
        return hashlib.sha256(self._cumulative.tobytes()).hexdigest()

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress, gold: Gold
    ) -> Annotations:
        """Draw each answer from the gold class's row of the matrix."""
        draws = np.asarray([_generator(self._seed, id_).random() for id_ in pool.ids])
        rows = self._cumulative[gold.labels]
        labels = np.minimum((draws[:, None] >= rows).sum(axis=1), rows.shape[1] - 1)
        progress(len(pool), len(pool))
        return Annotations.of(labels.astype(np.int32), pool.offsets, replies=[REPLY] * len(pool))


class NoisyMentions:
    """Gold tags of a token task with a share of the mentions corrupted.

    Each gold mention is, with probability ``rate``, dropped, given another type (or dropped,
    where there is only one), or moved at one boundary by one token, with equal chances. For each
    mention a one-token mention of a random type is added outside with probability ``rate / 4``.
    """

    needs_gold: Literal[True] = True

    def __init__(self, rate: float, types: int, seed: int) -> None:
        self._rate, self._types, self._seed = rate, types, seed

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress, gold: Gold
    ) -> Annotations:
        """Corrupt each sentence by a generator of its own."""
        sentences = [
            self._corrupted(
                gold.labels[pool.offsets[row] : pool.offsets[row + 1]],
                _generator(self._seed, id_),
            )
            for row, id_ in enumerate(pool.ids)
        ]
        progress(len(pool), len(pool))
        return Annotations.of(np.concatenate(sentences), pool.offsets, replies=[REPLY] * len(pool))

    def _corrupted(self, tags: IntArray, rng: np.random.Generator) -> IntArray:
        noisy = np.zeros(len(tags), dtype=np.int32)
        spans = spans_of(tags.tolist())
        for begin, end, kind in spans:
            if rng.random() < self._rate:
                begin, end, kind = self._change(begin, end, kind, len(tags), rng)
            if begin < end and not noisy[begin:end].any():
                noisy[begin:end] = 2 + 2 * kind
                noisy[begin] = 1 + 2 * kind
        for _ in spans:
            outside = np.flatnonzero((noisy == 0) & (tags == 0))
            if rng.random() < self._rate / 4 and len(outside):
                at = int(rng.choice(outside))
                kind = int(rng.integers(self._types))
                noisy[at] = 1 + 2 * kind
        return noisy

    def _change(
        self, begin: int, end: int, kind: int, length: int, rng: np.random.Generator
    ) -> tuple[int, int, int]:
        what = rng.integers(3)
        if what == 0 or (what == 1 and self._types == 1):
            return begin, begin, kind
        if what == 1:
            return begin, end, int((kind + rng.integers(1, self._types)) % self._types)
        moves = [(begin - 1, end), (begin + 1, end), (begin, end - 1), (begin, end + 1)]
        possible = [(a, b) for a, b in moves if a >= 0 and a < b and b <= length]
        if not possible:  # a mention that is the whole sentence of one token
            return begin, begin, kind
        begin, end = possible[int(rng.integers(len(possible)))]
        return begin, end, kind


def noisy_from_request(request: AnnotatorRequest) -> SupervisedAnnotator:
    """``noisy``, ``noisy:RATE`` or, for sequence tasks, ``noisy:CONFUSION.json``.

    RATE (default 0.2) is the share of wrong labels, evenly over the other classes, or of
    corrupted mentions. The JSON file holds ``{gold: {answered: p}}`` by label name; the rest of
    1 is the share of right answers.
    """
    request.spec.check_options()
    argument = request.spec.argument or "0.2"
    task = request.task
    if argument.endswith(".json"):
        if task.kind == "token":
            raise CommandError(f"{request.spec}: a confusion matrix serves sequence tasks only")
        return NoisyAnnotator(_read_confusion(Path(argument), task), request.seed)
    try:
        rate = float(argument)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise CommandError(f"{request.spec}: write a rate from 0 to 1, or a confusion file .json")
    if task.kind == "token":
        return NoisyMentions(rate, len(task.labels), request.seed)
    classes = len(task.labels)
    confusion = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(confusion, 1 - rate)
    return NoisyAnnotator(confusion, request.seed)


def _read_confusion(file: Path, task: TaskCard) -> FloatArray:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: not a readable confusion matrix: {error}") from None
    index = {label.name: position for position, label in enumerate(task.labels)}
    confusion = np.zeros((len(index), len(index)))
    for gold, answers in _items(rows, file):
        for answer, share in _items(answers, file):
            for name in (gold, answer):
                if name not in index:
                    raise DataError(f"{file}: the task has no label {name!r}")
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                raise DataError(f"{file}: {gold} -> {answer}: {share!r} is not a share from 0 to 1")
            confusion[index[gold], index[answer]] = share
    rest = 1 - (confusion.sum(axis=1) - np.diag(confusion))
    if (rest < -1e-9).any():
        name = task.labels[int(np.argmin(rest))].name
        raise DataError(f"{file}: the shares of wrong answers for {name!r} add up to more than 1")
    np.fill_diagonal(confusion, rest)
    return confusion


def _items(value: Any, file: Path) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise DataError(f"{file}: write {{gold: {{answered: share}}}} by label name")
    return list(value.items())


def _generator(seed: int, id_: str) -> np.random.Generator:
    return np.random.default_rng([seed, *id_.encode()])
