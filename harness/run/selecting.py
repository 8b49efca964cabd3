"""The selector's step: which labels to trust, what to show, what to annotate next."""

from __future__ import annotations

import numpy as np

from harness.data import Annotations, IntArray, Selection
from harness.errors import PartError
from harness.protocols import ROLES, Evidence, Parts
from harness.record import codecs, layout
from harness.run.contracts import blaming
from harness.run.feedback import Feedback, believe, evidence
from harness.run.steps import Run, recorded
from harness.run.training import Trained


def select(run: Run, round_: int, annotations: Annotations, trained: Trained) -> Feedback:
    """Decide from the student's view what to trust, to show and to annotate next."""
    view = trained.views["train"]
    named = [(run.keys["selector"][role], run.part(role)) for role in ROLES]
    shots = run.keys["demonstrations"]["shots"]
    decided = (annotations, trained.digests["train"], named, shots)
    stage, file = layout.student_stage(round_), layout.selection(round_)
    step = run.step("selection", round_, stage, file, *decided)

    def made() -> Selection:
        with blaming(f"selector {run.config.selector.spec!r}"):
            seen = evidence(annotations, view, run.task)
            return select_from(run.parts, seen, run.config.seed, round_)

    selection, _ = recorded(run, step, made, codecs.SELECTION)
    believed = believe(annotations, view, selection.trusted)
    return Feedback(believed, trained.views, selection, trained.digests)


def select_from(parts: Parts, seen: Evidence, seed: int, round_: int) -> Selection:
    """Call the three selectors, each with its own generator, and check their answers.

    A ``PartError`` for a row that is repeated, outside the pool, or shown but not trusted.
    """
    n = len(seen)
    everything = np.arange(n)
    trusted = parts.trust(seen, np.random.default_rng([seed, round_, 0]))
    trusted = _checked(trusted, everything, "trust")
    chosen = parts.demonstrations.choose(seen, trusted, np.random.default_rng([seed, round_, 1]))
    chosen = _checked(chosen, trusted, "demonstrations")
    requested = parts.query(seen, trusted, np.random.default_rng([seed, round_, 2]))
    return Selection(trusted, chosen, _checked(requested, everything, "query"))


def _checked(rows: IntArray, allowed: IntArray, role: str) -> IntArray:
    rows = np.asarray(rows, dtype=np.int64)
    if len(np.unique(rows)) != len(rows):
        raise PartError(f"the {role} selector returned a row twice")
    if not np.isin(rows, allowed).all():
        where = "that is not trusted" if role == "demonstrations" else "outside the pool"
        raise PartError(f"the {role} selector returned a row {where}")
    return rows
