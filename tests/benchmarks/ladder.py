"""Robustness where it shows: students under ever more wrong labels.

    python -m tests.benchmarks.ladder --data DIR --out FILE.jsonl [--tasks subj,trec,mr]
        [--rungs lopsided-0.2,lopsided-0.4,embedding] [--methods supervised,plain,default,paper]
        [--seeds 0,1,2] [--limit 1000] [--held-out 1000] [--set KEY=VALUE]... [--name NAME]
    python -m tests.benchmarks.ladder_table FILE.jsonl...

Rungs: ``symmetric-RATE`` and ``lopsided-RATE``, simulated by a confusion matrix (``confusion``;
the recorded errors of GPT-3.5 on MR are lopsided 391 to 129); in a binary task ``lopsided-0.4`` has
one class mostly wrong, which no method can see that takes the labels of each class to be right
more often than not; ``embedding``, the ``embedding`` annotator's own labels, whose errors depend on
the text; ``replay:FILE``, recorded labels. Token tasks, RATE: corrupted mentions (dropped,
mistyped, moved by a token, and a quarter as many invented), simulated.

Methods: presets of ``minilm``. ``paper`` has of its 50 epochs only ``--paper-epochs``, of which
the warm-up and the ramp-up are a quarter each (0: the whole); its variants are those of dropout,
for ``replay`` on MR the recorded back-translations.
``supervised`` is ``plain`` on the gold labels, the same for all rungs of a task.

To choose between settings, ``--held-out`` scores on training rows that were not drawn, never
on the test set: ``noisy`` is the share that agrees with labels as wrong as those learnt
from, ``test`` the score by the gold ones; ``--set`` changes settings of the student, ``--name``
calls that a method.

Each student adds a line to the file; what stands there already is left out; two at once may
share it. ``outcomes``: what was right, example by example, for paired intervals; ``peak_mib``:
the process's largest memory so far.
"""

from __future__ import annotations

import argparse
import json
import zlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

import numpy as np
from pydantic import BaseModel

from harness.config import load_config
from harness.data import Annotations, FloatArray, Gold, IntArray, Pool, TaskCard
from harness.metrics import score
from harness.plugin_manager import Plugins
from harness.protocols import Aids, AnnotatorRequest, AugmenterRequest, Task, no_progress
from harness.run.assembly import load_task
from harness.run.splits import Split, load_splits
from harness.specs import parse_spec
from harness.stats.outcomes import Outcomes, mention_counts
from harness_plugins.annotators.embedding import EmbeddingAnnotator
from harness_plugins.annotators.replay import ReplayAnnotator
from harness_plugins.annotators.simulated import NoisyAnnotator, NoisyMentions
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys
from harness_plugins.students.sources import packaged

LOPSIDED = 3.0
"""How many times as often every other class errs as its neighbours."""
KEYS = ("task", "rung", "method", "seed")


@dataclass(frozen=True, slots=True)
class Case:
    """One student to train."""

    task: str
    rung: str
    method: str
    seed: int


def confusion(shares: FloatArray, rung: str) -> FloatArray:
    """float ``[classes, classes]``: of all labels the rung's rate is wrong.

    Errors fall on the other classes by their frequency.

    Args:
        shares: float ``[classes]``, of each class.
        rung: ``lopsided-RATE`` or ``symmetric-RATE``.
    """
    shape, _, rate = rung.partition("-")
    ratio = {"lopsided": LOPSIDED, "symmetric": 1.0}[shape]
    errors = np.where(np.arange(len(shares)) % 2 == 0, ratio, 1.0)
    errors = np.minimum(errors * float(rate) / (shares @ errors), 0.9)
    matrix = np.tile(shares, (len(shares), 1))
    np.fill_diagonal(matrix, 0)
    matrix *= (errors / matrix.sum(axis=1))[:, None]
    np.fill_diagonal(matrix, 1 - errors)
    return matrix


def simulated(case: Case, task: Task) -> FloatArray | None:
    """The confusion matrix of a simulated rung of texts; None of others."""
    gold = task.gold("train")
    if task.card.kind == "token" or not case.rung.startswith(("lopsided-", "symmetric-")):
        return None
    assert gold is not None
    shares = np.bincount(gold.labels, minlength=len(task.card.classes)) / len(gold.labels)
    return confusion(shares, case.rung)


def said_of(case: Case, task: Task, train: Split) -> Annotations:
    """The labels that the student learns from."""
    if case.method == "supervised":
        return Annotations.of(train.gold.labels, train.gold.offsets)
    if (matrix := simulated(case, task)) is not None:
        return NoisyAnnotator(matrix, case.seed).annotate(train.pool, None, no_progress, train.gold)
    if case.rung == "embedding":
        annotator = EmbeddingAnnotator(task.card)
        return annotator.annotate(train.pool, task.card.generated, no_progress)
    if case.rung.startswith("replay:"):
        part = Plugins(third_party=False).part("annotator", "replay")
        request = AnnotatorRequest(parse_spec(case.rung), task.card, None, case.seed)
        replay: ReplayAnnotator = part.factory(request)
        return replay.annotate(train.pool, None, no_progress)
    corrupted = NoisyMentions(float(case.rung), len(task.card.labels), case.seed)
    return corrupted.annotate(train.pool, None, no_progress, train.gold)


def variants_of(case: Case, task: Task, pool: Pool) -> Pool | None:
    """For ``paper`` the back-translations that are recorded with MR's labels."""
    if case.method != "paper" or case.task != "mr" or not case.rung.startswith("replay:"):
        return None
    part = Plugins(third_party=False).part("augmenter", "recorded")
    spec = parse_spec(case.rung.replace("replay:", "recorded:", 1))
    augmenter = part.factory(AugmenterRequest(spec, task.card))
    made: Pool = augmenter.augment(pool, None, 0, no_progress).pool
    return made


def agreed(labels: IntArray, noisy: Annotations, gold: Gold, card: TaskCard) -> float:
    """The score by labels as wrong as those learnt from."""
    if card.kind == "token":
        return float(score(labels, replace(gold, labels=noisy.labels), card).score)
    return float((labels == noisy.labels)[noisy.labels >= 0].mean())


def config_of(case: Case, options: argparse.Namespace) -> BaseModel:
    """The preset, with the paper's cut short, and what is changed."""
    preset = "plain" if case.method == "supervised" else case.method
    short = [f"epochs={options.paper_epochs}"] if preset == "paper" and options.paper_epochs else []
    if unknown := {one.partition("=")[0] for one in options.set} - set(EncoderKeys.model_fields):
        raise SystemExit(f"--set: no setting of a student: {', '.join(unknown)}")
    settings = [f"student.{one}" for one in (f"preset={preset}", *short, *options.set)]
    return load_config(None, settings).student.keys(EncoderKeys)


def run_case(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Train one student; its scores on the pool and on the test set."""
    data: Path = options.data
    task = load_task(case.task, Plugins(third_party=False), data)
    splits = load_splits(task, inductive=True, limit=None, seed=case.seed)
    rows = np.arange(len(splits.train.pool))
    train, test = splits.train.take(rows[: options.limit]), splits.test
    if options.held_out:
        test = splits.train.take(rows[options.limit :][: options.held_out])
    assert test is not None
    said = said_of(case, task, train)
    settings = settings_of(config_of(case, options), task.card.kind, packaged())
    student = EncoderStudent(packaged(), task.card.kind, task.card.classes, settings)
    began, notes = perf_counter(), list[str]()
    aids = Aids(variants=variants_of(case, task, train.pool), note=notes.append)
    fitted = student.fit(train.pool, said, case.seed, no_progress, aids)
    seconds, peak = perf_counter() - began, getrusage(RUSAGE_SELF).ru_maxrss / 1024
    found: dict[str, Any] = {"seconds": round(seconds, 1), "peak_mib": round(peak)}
    of_pool, of_test = (fitted.view(one.pool, no_progress).predictions for one in (train, test))
    found["pool"] = float(score(of_pool, train.gold, task.card).score)
    found["test"] = float(score(of_test, test.gold, task.card).score)
    found["outcomes"] = packed(outcomes(of_test, test.gold, task.card))
    if options.held_out:
        found["noisy"] = agreed(of_test, said_of(case, task, test), test.gold, task.card)
    matrix, answered = simulated(case, task), said.labels >= 0
    wrong = (said.labels != train.gold.labels)[answered]
    about = asdict(replace(case, method=options.name or case.method))
    known = {"n": len(train.pool), "answered": float(answered.mean()), "wrong": float(wrong.mean())}
    matrices = {} if matrix is None else {"T": matrix.round(2).tolist()}
    return {**about, **known, **matrices, **found, "notes": notes}


def outcomes(labels: IntArray, gold: Gold, card: TaskCard) -> Outcomes:
    """What is right, example by example."""
    if card.kind == "sequence":
        return Outcomes.of_examples(labels == gold.labels)
    return Outcomes.of_mentions(mention_counts(labels, gold.labels, gold.offsets))


def packed(of: Outcomes) -> str:
    """The counts of one seed as text."""
    return b64encode(zlib.compress(of.counts[0].astype(np.int8).tobytes())).decode()


def cases_of(options: argparse.Namespace) -> Iterator[Case]:
    """Seeds outermost, so that an interrupted run has whole rows of few seeds."""
    for seed in options.seeds.split(","):
        for task in options.tasks.split(","):
            for method in options.methods.split(","):
                rungs = ["none"] if method == "supervised" else options.rungs.split(",")
                for rung in rungs:
                    yield Case(task, rung, method, int(seed))


def lines_of(file: Path) -> list[dict[str, Any]]:
    """What stands in a file of results."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def run(options: argparse.Namespace) -> None:
    for case in cases_of(options):
        done = [Case(*(one[key] for key in KEYS)) for one in lines_of(options.out)]
        if replace(case, method=options.name or case.method) in done:
            continue
        found = run_case(case, options)
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        shown = {key: value for key, value in found.items() if key != "outcomes"}
        print(json.dumps(shown), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default="subj,trec,mr")
    parser.add_argument("--rungs", default="lopsided-0.2,lopsided-0.4,embedding")
    parser.add_argument("--methods", default="supervised,plain,default,paper")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--paper-epochs", type=int, default=4)
    parser.add_argument("--held-out", type=int, default=0)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--name", default="")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
