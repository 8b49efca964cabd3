"""CanDist as a plugin: ``--plugin tests/third_party/candist.py --student candist:minilm``.

Xia et al., "Prompt Candidates, then Distill: A Teacher-Student Framework for LLM-driven Data
Annotation", ACL 2025: an annotator may name several labels; a student refines, from its own
predictions, how probable each of them is, and learns that distribution.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from harness import abilities, hookimpl
from harness.data import Annotations, FloatArray, Pool
from harness.errors import CommandError
from harness.protocols import Aids, FittedStudent, Progress, Student, StudentRequest, no_progress

LEAST = 0.05
"""Probability below which a label is not learnt."""


class CanDist:
    """Trains another student, and again on the distributions that its predictions refine."""

    def __init__(self, student: Student, classes: int, times: int, outside: float) -> None:
        self._student, self._classes = student, classes
        self._times, self._outside = times, outside
        self.fingerprint = f"{abilities.fingerprint(student)} {times} {outside}"

    @classmethod
    def from_request(cls, request: StudentRequest) -> CanDist:
        """``candist:STUDENT``, perhaps with ``times=`` and ``outside=``."""
        spec = request.spec
        spec.check_options("times", "outside")
        if not spec.argument:
            raise CommandError("candist: name a student that learns, such as candist:minilm")
        times, outside = spec.option("times", 2, int), spec.option("outside", 0.95, float)
        return cls(request.other(spec.argument), len(request.task.classes), times, outside)

    def fit(
        self, pool: Pool, annotations: Annotations, seed: int, progress: Progress, aids: Aids
    ) -> FittedStudent:
        """Begin with equally probable candidates; refine them ``times`` times."""
        allowed = np.zeros((len(pool), self._classes))
        for row, named in enumerate(annotations.candidates):
            label = annotations.labels[row]
            allowed[row, list(named or ([label] if label >= 0 else ()))] = 1
        shares = allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1)
        for time in range(self._times + 1):
            rows, labels = np.nonzero(shares >= LEAST)  # each label of a distribution is a row
            sure = shares[rows, labels].astype(np.float32)
            wide = replace(annotations.take(rows), labels=labels, confidence=sure, candidates=())
            alone = Aids(note=aids.note if time == 0 else lambda line: None)
            fitted = self._student.fit(pool.take(rows), wide, seed, progress, alone)
            if time < self._times:
                seen = abilities.earlier(fitted) or fitted
                shares = self._refined(seen.view(pool, no_progress).probabilities, allowed)
        return fitted

    def _refined(self, seen: FloatArray, allowed: FloatArray) -> FloatArray:
        """The student's distribution over the candidates; over all labels where it is sure."""
        sure = seen.max(axis=1, keepdims=True) >= self._outside
        kept = seen * np.where(sure, allowed.any(axis=1, keepdims=True), allowed)
        return np.asarray(kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12))

    def load(self, folder: Path) -> FittedStudent:
        """The student that was trained."""
        return self._student.load(folder)


@hookimpl
def harness_register_students(register) -> None:  # type: ignore[no-untyped-def]
    """Offer ``candist``."""
    register("candist", CanDist.from_request, summary="distribution refinement over candidates",
             kinds=["sequence"])  # fmt: skip
