"""The student's steps: variants of the pool, training, its view of every split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import abilities
from harness.data import Annotations, StudentView
from harness.errors import PartError
from harness.identity import digest
from harness.protocols import Aids, FittedStudent, Variants
from harness.record import codecs, layout
from harness.record.codecs import EARLIER, PASS
from harness.run.contracts import blaming, check_fitted, check_type, check_variants, check_view
from harness.run.steps import Run, recorded


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training leaves: by split the student's views, and a hash of each.

    ``feedback`` are the views that selectors read: the same, or those of an earlier epoch, and
    ``digests`` their hashes; ``passes`` those of the pool with dropout. ``seconds`` are those of
    making variants in this round, training and viewing; ``variants`` those that this round made,
    None where it made none.
    """

    views: Mapping[str, StudentView]
    feedback: Mapping[str, StudentView]
    passes: Sequence[StudentView]
    digests: Mapping[str, str]
    seconds: float
    variants: Variants | None


def train(run: Run, round_: int, annotations: Annotations) -> Trained:
    """Train the student on the annotations, and view every split with it."""
    if not annotations.answered.any():
        (why, _), *_ = Counter(annotations.reasons).most_common(1) or [("no example", 0)]
        raise PartError(
            f"annotator {run.config.annotator.spec!r} abstained from every example ({why}), so the "
            "student has nothing to train on"
        )
    variants, new, took = _variants(run, round_, annotations)
    pool = None if variants is None else variants.pool
    checkpoints = layout.checkpoints(round_)
    decided: list[object] = [run.pools, annotations, pool, run.keys["student"]]
    decided.append(run.part("student"))
    if count := abilities.dropout_passes(run.parts.query):
        decided.append(count)
    stage, file = layout.student_stage(round_), layout.view(round_)
    step = run.step("view", round_, stage, file, *decided)

    def made() -> Mapping[str, StudentView]:
        aids = Aids(pool, run.folder.scratch(checkpoints), run.watcher.noted)
        return fit(run, round_, annotations, aids)

    views, seconds = recorded(run, step, made, codecs.VIEWS)
    run.folder.discard(checkpoints)
    return _trained(run, views, took + seconds, variants if new else None)


def _trained(
    run: Run, recorded: Mapping[str, StudentView], seconds: float, variants: Variants | None
) -> Trained:
    """From the recorded views, which are named by their split, and what else they are of."""
    views = {name: recorded[name] for name in ("train", *run.splits.scored)}
    feedback = {name: recorded.get(EARLIER + name, view) for name, view in views.items()}
    passes = [view for name, view in recorded.items() if name.startswith(PASS)]
    digests = {name: digest(view) for name, view in feedback.items()}
    if passes:
        digests["train"] = digest(digests["train"], *passes)
    return Trained(views, feedback, passes, digests, seconds, variants)


def fit(run: Run, round_: int, annotations: Annotations, aids: Aids) -> dict[str, StudentView]:
    """Train a round's student; keep the last round's if ``student.save`` is set.

    Returns:
        Its view of each split, by name; with ``EARLIER`` before the name, that of an earlier
        epoch; with ``PASS`` and a number, those of the pool with dropout, without embeddings.
    """
    student, pool = run.parts.student, run.splits.train.pool
    seed = int(np.random.default_rng([run.config.seed, round_, 3]).integers(2**31))
    with blaming(*run.parts.origin("student"), student.fit):
        fitted = student.fit(pool, annotations, seed, run.watcher.advanced, aids)
        check_fitted(fitted)
        views = {}
        earlier = abilities.earlier(fitted)
        for split in (run.splits.train, *run.splits.scored.values()):
            name = split.pool.split
            run.watcher.began(layout.student_stage(round_), "student", f"viewing {name}")
            seen, clean = fitted.view(split.pool, run.watcher.advanced), None
            if split is run.splits.train:
                clean = abilities.clean_labels(fitted, pool)
            views[name] = seen if clean is None else replace(seen, clean=clean)
            check_view(views[name], split.pool, run.task)
            if earlier is not None:
                views[EARLIER + name] = earlier.view(split.pool, run.watcher.advanced)
                check_view(views[EARLIER + name], split.pool, run.task)
        views |= _passes(run, round_, earlier or fitted)
        if run.config.student.save and round_ == run.config.rounds - 1:
            run.folder.write_folder(layout.STUDENT, fitted.save)
    return views


def _passes(run: Run, round_: int, fitted: FittedStudent) -> dict[str, StudentView]:
    """As many views of the pool with dropout as the query selector wants."""
    pool, views = run.splits.train.pool, {}
    for number in range(count := abilities.dropout_passes(run.parts.query)):
        stage, doing = layout.student_stage(round_), f"viewing train, {number + 1} of {count}"
        run.watcher.began(stage, "student", doing)
        seed = int(np.random.default_rng([run.config.seed, round_, 7, number]).integers(2**31))
        seen = abilities.view_with_dropout(fitted, pool, seed, run.watcher.advanced)
        check_view(seen, pool, run.task)
        none = np.zeros((len(pool), 0), dtype=np.float32)
        views[f"{PASS}{number:03}"] = replace(seen, embeddings=none)
    return views


def _variants(
    run: Run, round_: int, annotations: Annotations
) -> tuple[Variants | None, bool, float]:
    """The variants of a round's student, whether this round made them, and the seconds it took.

    They are made once a run, or each round if the augmenter reads labels.
    """
    augmenter, pool = run.parts.augmenter, run.splits.train.pool
    if augmenter is None:
        return None, False, 0.0
    labels = annotations if abilities.reads_labels(augmenter) else None
    made_in = 0 if labels is None else round_
    decided = (run.pools["train"], labels, run.config.student.augmenter, run.part("augmenter"))
    file = layout.variants(None if labels is None else round_)
    step = run.step("variants", made_in, layout.student_stage(made_in), file, *decided)
    made, seconds = recorded(
        run, step, lambda: _augment(run, made_in, labels), codecs.variants_codec(pool)
    )
    new = made_in == round_
    return made, new, seconds if new else 0.0


def _augment(run: Run, round_: int, labels: Annotations | None) -> Variants:
    augmenter, pool = run.parts.augmenter, run.splits.train.pool
    assert augmenter is not None
    seed = int(np.random.default_rng([run.config.seed, round_, 5]).integers(2**31))
    part, plugin = run.parts.origin("augmenter")
    with blaming(part, plugin, augmenter.augment):
        made = augmenter.augment(pool, labels, seed, run.watcher.advanced)
        check_type(made, Variants)
        check_variants(made.pool, pool)
    pairs = zip(made.pool.texts, pool.texts, strict=True)
    if 2 * (same := sum(new == old for new, old in pairs)) > len(pool):
        run.watcher.noted(f"{part}: {same} of {len(pool)} variants are the examples themselves")
    return made
