"""Robustness where it shows: students under ever more wrong labels.

    python -m tests.benchmarks.ladder run --data DIR --out FILE.jsonl [--tasks subj,trec,mr]
        [--rungs 0.2,0.4,embedding] [--methods plain,paper,default] [--seeds 0,1,2]
        [--limit 1000] [--paper-epochs 4] [--held-out 1000] [--set KEY=VALUE]... [--name NAME]
    python -m tests.benchmarks.ladder table FILE.jsonl

Rungs: a rate of wrong labels by a class-dependent confusion matrix, in which every other
class errs three times as often as its neighbours (the recorded errors of GPT-3.5 on MR are
lopsided 391 to 129) and errors fall on the other classes by their frequency; ``embedding``,
the ``embedding`` annotator's own labels, whose errors depend on the text; ``recorded``, what
GPT-3.5 said of MR (``train_gpt35.jsonl``). Token tasks: a rate of corrupted mentions (dropped,
mistyped, moved by a token, and a quarter as many invented). The noisy annotators are simulated.

Methods: presets of ``minilm``. ``paper`` with its terms and thresholds but of its 50 epochs
only ``--paper-epochs``, so the warm-up and the ramp-up are one epoch each (0: the whole);
variants are those of dropout, for ``recorded`` the recorded back-translations. ``supervised``
is ``plain`` on the gold labels, the same for all rungs of a task.

To choose between settings, ``--held-out`` scores on training rows that were not drawn, never
on the test set: ``noisy`` is the share that agrees with labels as wrong as those learnt
from, ``test`` the score by the gold ones; ``--set`` changes settings of the student, ``--name``
calls that a method.

``run`` adds one line a student to the file and leaves out what stands there already; two at
once may share it. ``table`` prints mean and standard deviation over seeds, and which share of
the gap between plain and supervised each method closes.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
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
from harness_plugins.annotators.embedding import EmbeddingAnnotator
from harness_plugins.annotators.replay import ReplayAnnotator
from harness_plugins.annotators.simulated import NoisyAnnotator, NoisyMentions
from harness_plugins.students.encoder.student import EncoderStudent
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys
from harness_plugins.students.sources import packaged

LOPSIDED = 3.0
KEYS = ("task", "rung", "method", "seed")


@dataclass(frozen=True, slots=True)
class Case:
    """One student to train."""

    task: str
    rung: str
    method: str
    seed: int


def confusion(shares: FloatArray, rate: float) -> FloatArray:
    """float ``[classes, classes]``: ``rate`` of all labels wrong, lopsided 3 : 1."""
    classes = len(shares)
    errors = np.where(np.arange(classes) % 2 == 0, LOPSIDED, 1.0)
    errors = np.minimum(errors * rate / (shares @ errors), 0.9)
    matrix = np.tile(shares, (classes, 1))
    np.fill_diagonal(matrix, 0)
    matrix *= (errors / matrix.sum(axis=1))[:, None]
    np.fill_diagonal(matrix, 1 - errors)
    return matrix


def said_of(case: Case, task: Task, train: Split, data: Path) -> Annotations:
    """The labels that the student learns from."""
    if case.method == "supervised":
        return Annotations.of(train.gold.labels, train.gold.offsets)
    if task.card.kind == "token":
        corrupted = NoisyMentions(float(case.rung), len(task.card.labels), case.seed)
        return corrupted.annotate(train.pool, None, no_progress, train.gold)
    if case.rung == "embedding":
        annotator = EmbeddingAnnotator(task.card)
        return annotator.annotate(train.pool, task.card.generated, no_progress)
    if case.rung == "recorded":
        part = Plugins(third_party=False).part("annotator", "replay")
        spec = parse_spec(f"replay:{data / 'mr' / 'train_gpt35.jsonl'}")
        replay: ReplayAnnotator = part.factory(AnnotatorRequest(spec, task.card, None, case.seed))
        return replay.annotate(train.pool, None, no_progress)
    gold = task.gold("train")
    assert gold is not None
    shares = np.bincount(gold.labels, minlength=len(task.card.classes)) / len(gold.labels)
    noisy = NoisyAnnotator(confusion(shares, float(case.rung)), case.seed)
    return noisy.annotate(train.pool, None, no_progress, train.gold)


def variants_of(case: Case, task: Task, pool: Pool, data: Path) -> Pool | None:
    """Recorded back-translations, for what uses variants."""
    if case.rung != "recorded" or case.method != "paper":
        return None
    part = Plugins(third_party=False).part("augmenter", "recorded")
    spec = parse_spec(f"recorded:{data / 'mr' / 'train_gpt35.jsonl'}")
    made: Pool = part.factory(AugmenterRequest(spec, task.card)).augment(pool, 0, no_progress)
    return made


def agreed(labels: IntArray, noisy: Annotations, gold: Gold, card: TaskCard) -> float:
    """The score by labels as wrong as those learnt from."""
    if card.kind == "token":
        return float(score(labels, replace(gold, labels=noisy.labels), card).score)
    return float((labels == noisy.labels)[noisy.labels >= 0].mean())


def config_of(case: Case, options: argparse.Namespace) -> BaseModel:
    """The preset, with the paper's cut short, and what is changed."""
    preset = "plain" if case.method == "supervised" else case.method
    settings = [f"student.{one}" for one in options.set]
    config = load_config(None, [f"student.preset={preset}", *settings]).student.keys(EncoderKeys)
    if case.method != "paper" or not options.paper_epochs:
        return config
    short = {"epochs": options.paper_epochs, "warmup_epochs": 1, "ramp_epochs": 1.0}
    return config.model_copy(update=short)


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
    said = said_of(case, task, train, data)
    settings = settings_of(config_of(case, options), task.card.kind, packaged())
    student = EncoderStudent(packaged(), task.card.kind, task.card.classes, settings)
    began = perf_counter()
    aids = Aids(variants=variants_of(case, task, train.pool, data))
    fitted = student.fit_with(train.pool, said, case.seed, no_progress, aids)
    seconds = perf_counter() - began
    found = {}
    for name, split in (("pool", train), ("test", test)):
        labels = fitted.view(split.pool, no_progress).predictions
        found[name] = float(score(labels, split.gold, task.card).score)
        if name == "test" and options.held_out:
            found["noisy"] = agreed(labels, said_of(case, task, test, data), test.gold, task.card)
    wrong = said.labels != train.gold.labels
    about = {
        "task": case.task,
        "rung": case.rung,
        "method": options.name or case.method,
        "seed": case.seed,
    }
    return {**about, "n": len(train.pool), "wrong": float(wrong.mean()), **found,
            "seconds": round(seconds, 1), "paper_epochs": options.paper_epochs}  # fmt: skip


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
        print(json.dumps(found), flush=True)


def table(options: argparse.Namespace) -> None:
    scores: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    pools: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    wrong: dict[tuple[str, str], list[float]] = defaultdict(list)
    lines = [line for file in options.files for line in lines_of(file)]
    for line in lines:
        key = (line["task"], line["rung"])
        scores[key][line["method"]].append(100 * line["test"])
        pools[key][line["method"]].append(100 * line["pool"])
        wrong[key].append(100 * line["wrong"])
    named = {line["method"] for line in lines} - {"plain", "paper", "default", "supervised"}
    methods = ["plain", "paper", *sorted(named), "default", "supervised"]
    print("| task | rung | wrong | " + " | ".join(methods) + " | paper closes | default closes |")
    print("|---" * (5 + len(methods)) + "|")
    for task, rung in sorted(key for key in scores if key[1] != "none"):
        row = dict(scores[task, rung])
        row["supervised"] = scores[task, "none"].get("supervised", [])
        cells = [_cell(row.get(method, [])) for method in methods]
        closes = [_closes(row, method) for method in ("paper", "default")]
        errors = f"{np.mean(wrong[task, rung]):.0f} %"
        print("| " + " | ".join([task, rung, errors, *cells, *closes]) + " |")
    print("\nOn the pool:\n")
    print("| task | rung | " + " | ".join(methods) + " |")
    print("|---" * (2 + len(methods)) + "|")
    for task, rung in sorted(key for key in pools if key[1] != "none"):
        row = dict(pools[task, rung])
        row["supervised"] = pools[task, "none"].get("supervised", [])
        cells = [_cell(row.get(method, [])) for method in methods]
        print(f"| {task} | {rung} | {' | '.join(cells)} |")


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.1f} ± {np.std(values):.1f} ({len(values)})" if values else "–"


def _closes(row: dict[str, list[float]], method: str) -> str:
    if not all(row.get(one) for one in (method, "plain", "supervised")):
        return "–"
    plain, top = np.mean(row["plain"]), np.mean(row["supervised"])
    return f"{100 * (np.mean(row[method]) - plain) / (top - plain):.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("--data", type=Path, required=True)
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--tasks", default="subj,trec,mr")
    running.add_argument("--rungs", default="0.2,0.4,embedding")
    running.add_argument("--methods", default="supervised,plain,default,paper")
    running.add_argument("--seeds", default="0,1,2")
    running.add_argument("--limit", type=int)
    running.add_argument("--paper-epochs", type=int, default=4)
    running.add_argument("--held-out", type=int, default=0)
    running.add_argument("--set", action="append", default=[])
    running.add_argument("--name", default="")
    running.set_defaults(do=run)
    showing = commands.add_parser("table")
    showing.add_argument("files", type=Path, nargs="+")
    showing.set_defaults(do=table)
    options = parser.parse_args()
    options.do(options)


if __name__ == "__main__":
    main()
