"""The selector's step: which labels to trust, what to show, what to annotate next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness import abilities
from harness.config import count_of
from harness.data import Annotations, BoolArray, IntArray, Selection, StudentView
from harness.metrics import right_examples
from harness.protocols import ROLES, Evidence, Parts
from harness.record import codecs, layout
from harness.run.contracts import blaming, check_rows
from harness.run.feedback import Feedback, believe, evidence, thin_classes
from harness.run.steps import Run, recorded
from harness.run.training import Trained


def select_first(run: Run) -> IntArray:
    """Rows of the pool to annotate in the first round: all, unless a selector chooses."""
    pool, initial = run.splits.train.pool, run.parts.initial
    if initial is None:
        return np.arange(len(pool), dtype=np.int64)
    decided = (run.pools["train"], run.keys["selector"]["initial"], run.part("initial"))
    step = run.step("initial", 0, layout.annotator_stage(0), layout.INITIAL, *decided)

    def made() -> Selection:
        rng = np.random.default_rng([run.config.seed, 0, 6])
        with blaming(*run.parts.origin("initial"), initial):
            rows = _rows(initial(pool, rng), np.arange(len(pool)), len(pool), "initial")
        none = np.zeros(0, dtype=np.int64)
        return Selection(none, none, np.sort(rows))

    return recorded(run, step, made, codecs.SELECTION)[0].requested


def select(
    run: Run, round_: int, annotations: Annotations, times: IntArray, trained: Trained
) -> Feedback:
    """Decide from the student's view what to trust, to show and to annotate next.

    ``times``, int64 ``[n]``: how often the annotator was asked about each example so far.
    """
    view, limits = trained.feedback["train"], run.config.selector
    named = [(run.keys["selector"][role], run.part(role)) for role in ROLES]
    shots = run.keys["demonstrations"]["shots"]
    asking = [times, limits.asks, limits.budget]
    right = _right(run, view)
    known = [] if right is None else [right]
    pool = run.pools["train"]
    decided = (annotations, trained.digests["train"], named, shots, pool, *asking, *known)
    stage, file = layout.student_stage(round_), layout.selection(round_)
    step = run.step("selection", round_, stage, file, *decided)

    def made() -> Selection:
        pool = run.splits.train.pool
        seen = evidence(annotations, view, run.task, times, pool, limits.asks)
        seen = replace(seen, passes=[one.log_probabilities for one in trained.passes])
        chosen = select_from(run.parts, seen, run.config.seed, round_, limits.budget, right)
        if (thin := thin_classes(chosen, seen, run.task)) is not None:
            run.watcher.noted(thin)
        return chosen

    selection, _ = recorded(run, step, made, codecs.SELECTION)
    believed = believe(annotations, view, selection.trusted)
    return Feedback(believed, trained.feedback, selection, times, trained.digests)


def _right(run: Run, view: StudentView) -> BoolArray | None:
    """bool ``[n]``, whether the student's label is right, for a selector that needs to know."""
    if not abilities.needs_gold(run.parts.trust):
        return None
    gold = run.splits.train.gold
    return right_examples(view.predictions, gold) & gold.known


def select_from(
    parts: Parts,
    seen: Evidence,
    seed: int,
    round_: int,
    budget: int | float | None = None,
    right: BoolArray | None = None,
) -> Selection:
    """Call the three selectors, each with its own generator, and check their answers.

    ``budget``: most examples to annotate next, a number or a share of the pool; None: no limit.
    ``right``, bool ``[n]``: the student's label is right; only for a supervised selector of trust.
    A ``PartError`` for one that fails, or whose rows are wrong (``contracts.check_rows``).
    """
    n, known = len(seen), () if right is None else (right,)
    trusting, showing, asking = (np.random.default_rng([seed, round_, role]) for role in range(3))
    with blaming(*parts.origin("trust"), parts.trust):
        labelled = np.flatnonzero(seen.groups >= 0)
        trusted = _rows(parts.trust(seen, trusting, *known), labelled, n, "trust")
    choose = parts.demonstrations.choose
    with blaming(*parts.origin("demonstrations"), choose):
        chosen = _rows(choose(seen, trusted, showing), trusted, n, "demonstrations")
    with blaming(*parts.origin("query"), parts.query):
        requested = _rows(parts.query(seen, trusted, asking), np.arange(n), n, "query")
    most = n if budget is None else count_of(budget, n)
    return Selection(trusted, chosen, requested[seen.askable[requested]][:most])


def _rows(rows: IntArray, allowed: IntArray, n: int, role: str) -> IntArray:
    check_rows(rows, allowed, n, role)
    return rows.astype(np.int64, copy=False)
