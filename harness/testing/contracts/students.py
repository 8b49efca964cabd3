"""The contracts of students."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import StudentView
from harness.identity import digest
from harness.protocols import Aids, no_progress
from harness.run.contracts import check_fitted, check_view
from harness.testing.contracts.calling import asked, refuse
from harness.testing.contracts.subject import Subject

KEPT = (".safetensors", ".json", ".txt", ".model")
"""Suffixes of what ``save`` may write."""
SEED = 3


def it_learns_and_sees_every_example(subject: Subject) -> None:
    """A view of the pool, and of a single row, from labels with an abstention among them."""
    fitted = _fitted(subject)
    for count in (len(subject.tiny.pool), 1):
        given = subject.tiny.rows(count)
        view = asked(fitted, "view", given.pool, no_progress)
        subject.checked(check_view, view, given.pool, given.card)
    for name, kind in (("log_probabilities", "float32"), ("predictions", "int32")):
        found = getattr(view, name).dtype
        wrong = f"{name} of its view are {found}; {kind} is expected"
        refuse(None if found == kind else wrong, type(fitted).view)


def the_same_seed_gives_the_same_model(subject: Subject) -> None:
    """Trained twice from scratch."""
    views = {_seen(subject, _fitted(subject, again=again)) for again in (False, True)}
    wrong = "the same arguments gave another model; draw from the seed alone"
    refuse(wrong if len(views) > 1 else None, subject.made().fit)


def it_is_the_same_after_save_and_load(subject: Subject) -> None:
    """``load`` reads what ``save`` wrote, which is no pickle."""
    fitted = _fitted(subject)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "student"
        folder.mkdir()
        asked(fitted, "save", folder)
        for file in sorted(folder.rglob("*")):
            wrong = f"save wrote {file.name}; safetensors and JSON are expected, never pickle"
            refuse(wrong if file.is_file() and file.suffix not in KEPT else None, type(fitted).save)
        loaded = asked(subject.remade(), "load", folder)
        subject.checked(check_fitted, loaded)
        other = asked(loaded, "view", subject.tiny.pool, no_progress)
    mine: StudentView = asked(fitted, "view", subject.tiny.pool, no_progress)
    same = np.allclose(mine.log_probabilities, other.log_probabilities, atol=1e-5)
    refuse(None if same else "after save and load it sees the pool otherwise", subject.made().load)


CONTRACTS = (
    it_learns_and_sees_every_example,
    the_same_seed_gives_the_same_model,
    it_is_the_same_after_save_and_load,
)


def _fitted(subject: Subject, *, again: bool = False) -> Any:
    given, student = subject.tiny, subject.remade() if again else subject.made()
    fitted = asked(student, "fit", given.pool, given.annotations, SEED, no_progress, Aids())
    subject.checked(check_fitted, fitted)
    return fitted


def _seen(subject: Subject, fitted: Any) -> str:
    view = asked(fitted, "view", subject.tiny.pool, no_progress)
    subject.checked(check_view, view, subject.tiny.pool, subject.tiny.card)
    return digest(np.round(view.log_probabilities, 4) + 0.0)
