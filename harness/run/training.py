"""The student's steps: variants of the pool, training, its view of every split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness import abilities
from harness.data import Annotations, Pool, StudentView
from harness.errors import PartError
from harness.identity import digest
from harness.protocols import Aids, Variants
from harness.record import codecs, layout
from harness.results import Spending
from harness.run.contracts import blaming, check_variants, check_view
from harness.run.steps import Run, recorded


@dataclass(frozen=True, slots=True, eq=False)
class Varied:
    """The variants that a round trains with, and what they took in this round.

    Attributes:
        pool: None without an augmenter.
        spending: what was paid for them, under ``variants``; empty if nothing.
    """

    pool: Pool | None = None
    spending: Mapping[str, Spending] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training leaves.

    Attributes:
        views: the student's view of each split.
        digests: a hash of each view.
        seconds: of making variants, training and viewing.
        spending: what was paid for variants.
    """

    views: Mapping[str, StudentView]
    digests: Mapping[str, str]
    seconds: float
    spending: Mapping[str, Spending]


def train(run: Run, round_: int, annotations: Annotations) -> Trained:
    """The student learns from the annotations and looks at every split."""
    if not annotations.answered.any():
        (why, _), *_ = Counter(annotations.reasons).most_common(1) or [("no example", 0)]
        raise PartError(
            f"annotator {run.config.annotator.spec!r} abstained from every example: "
            f"there is nothing to train the student on ({why})"
        )
    varied = variants_of(run, round_, annotations)
    checkpoints = layout.checkpoints(round_)
    decided = (run.pools, annotations, varied.pool, run.keys["student"], run.part("student"))
    stage, file = layout.student_stage(round_), layout.view(round_)
    step = run.step("view", round_, stage, file, *decided)

    def made() -> Mapping[str, StudentView]:
        aids = Aids(varied.pool, run.folder.scratch(checkpoints), run.watcher.noted)
        return fit(run, round_, annotations, aids)

    views, seconds = recorded(run, step, made, codecs.VIEWS)
    run.folder.discard(checkpoints)
    digests = {name: digest(view) for name, view in views.items()}
    return Trained(views, digests, varied.seconds + seconds, varied.spending)


def fit(run: Run, round_: int, annotations: Annotations, aids: Aids) -> dict[str, StudentView]:
    """Train a round's student; the last round's is kept, if that is wanted."""
    part, pool = f"student {run.config.student.spec!r}", run.splits.train.pool
    seed = int(np.random.default_rng([run.config.seed, round_, 3]).integers(2**31))
    with blaming(part):
        fitted = run.parts.student.fit(pool, annotations, seed, run.watcher.advanced, aids)
        views = {}
        for split in (run.splits.train, *run.splits.beside.values()):
            name = split.pool.split
            run.watcher.began(layout.student_stage(round_), "student", f"viewing {name}")
            views[name] = fitted.view(split.pool, run.watcher.advanced)
            check_view(views[name], split.pool, run.task, part)
        if run.config.student.save and round_ == run.config.rounds - 1:
            run.folder.write_folder(layout.STUDENT, fitted.save)
    return views


def variants_of(run: Run, round_: int, annotations: Annotations) -> Varied:
    """The variants that a round's student trains with, made once a run or (labels) a round.

    Raises:
        PartError: if the augmenter fails, or breaks its protocol.
    """
    augmenter, pool = run.parts.augmenter, run.splits.train.pool
    if augmenter is None:
        return Varied()
    labels = annotations if abilities.reads_labels(augmenter) else None
    made_in = 0 if labels is None else round_
    decided = (run.pools["train"], labels, run.config.student.augmenter, run.part("augmenter"))
    file = layout.variants(None if labels is None else round_)
    step = run.step("variants", made_in, layout.student_stage(made_in), file, *decided)
    made, seconds = recorded(
        run, step, lambda: _augment(run, made_in, labels), codecs.variants_codec(pool)
    )
    if made_in != round_:
        return Varied(made.pool)
    paid = Spending(requests=made.requests, tokens=made.tokens, cost_usd=made.cost_usd)
    return Varied(made.pool, {"variants": paid} if paid.requests or paid.cost_usd else {}, seconds)


def _augment(run: Run, round_: int, labels: Annotations | None) -> Variants:
    augmenter, pool = run.parts.augmenter, run.splits.train.pool
    assert augmenter is not None
    part = f"augmenter {run.config.student.augmenter!r}"
    seed = int(np.random.default_rng([run.config.seed, round_, 5]).integers(2**31))
    with blaming(part):
        made = augmenter.augment(pool, labels, seed, run.watcher.advanced)
        check_variants(made.pool, pool, part)
    pairs = zip(made.pool.texts, pool.texts, strict=True)
    if 2 * (same := sum(new == old for new, old in pairs)) > len(pool):
        run.watcher.noted(f"{part}: {same} of {len(pool)} variants are the examples themselves")
    return made
