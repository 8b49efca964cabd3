"""Students: what they learn from, what they say, and that they can be kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.data import Annotations, Pool, StudentView, TaskCard
from harness.iob2 import first_invalid
from harness.plugin_manager import Plugins
from harness.protocols import Aids, Student, StudentRequest, no_progress
from harness.specs import parse_spec
from harness_tasks.task import DeclaredTask

SHIPPED = Path(__file__).parent.parent / "tasks" / "harness_tasks"
TASKS = {name: DeclaredTask(SHIPPED / f"{name}.toml") for name in ("demo", "demo-ner")}


def student(name: str, task: TaskCard, **settings: int) -> Student:
    part = Plugins(third_party=False).part("student", name)
    keys = part.config(**settings) if part.config else None
    made: Student = part.factory(StudentRequest(parse_spec(name), task, keys))
    return made


def some(name: str, count: int) -> tuple[Pool, Annotations]:
    """The first examples of a demo task, annotated with their gold labels."""
    task = TASKS[name]
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None and gold is not None
    rows = np.arange(count)
    return pool.take(rows), Annotations.of(gold.take(rows).labels, gold.take(rows).offsets)


def check(view: StudentView, pool: Pool, task: TaskCard) -> None:
    assert view.log_probabilities.shape == (int(pool.offsets[-1]), len(task.classes))
    assert np.allclose(view.probabilities.sum(axis=1), 1, atol=1e-5)
    assert len(view.embeddings) == len(pool) and np.isfinite(view.embeddings).all()
    assert np.array_equal(view.offsets, pool.offsets)
    if task.kind == "sequence":
        assert np.array_equal(view.predictions, view.log_probabilities.argmax(axis=1))
    else:
        assert first_invalid(view.predictions, view.offsets) is None


KINDS = [
    pytest.param("tfidf", "demo", {}, id="tfidf"),
    pytest.param("minilm", "demo", {"epochs": 2}, id="minilm", marks=pytest.mark.slow),
    pytest.param("minilm", "demo-ner", {"epochs": 4}, id="minilm-tokens", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "task", "settings"), KINDS)
def test_a_student_learns_and_can_be_kept(
    tmp_path: Path, name: str, task: str, settings: dict[str, int]
) -> None:
    pool, annotations = some(task, 60)
    card = TASKS[task].card
    untrained = student(name, card, **settings)
    fitted = untrained.fit(pool, annotations, 0, no_progress, Aids())
    view = fitted.view(pool, no_progress)
    check(view, pool, card)
    majority = np.bincount(annotations.labels).max() / len(annotations.labels)
    assert (view.predictions == annotations.labels).mean() > majority + 0.03
    fitted.save(tmp_path / "kept")
    assert not [path for path in (tmp_path / "kept").iterdir() if path.suffix in (".pkl", ".bin")]
    again = untrained.load(tmp_path / "kept").view(pool, no_progress)
    assert np.array_equal(again.predictions, view.predictions)
    assert np.allclose(again.log_probabilities, view.log_probabilities, atol=1e-5)


@pytest.mark.parametrize(("name", "task", "settings"), [KINDS[0], KINDS[2]])
def test_the_same_seed_gives_the_same_student(
    name: str, task: str, settings: dict[str, int]
) -> None:
    pool, annotations = some(task, 40)
    card = TASKS[task].card
    settings = {"epochs": 1} if settings else {}
    views = [
        student(name, card, **settings)
        .fit(pool, annotations, 5, no_progress, Aids())
        .view(pool, no_progress)
        for _ in range(2)
    ]
    assert views[0].log_probabilities.tobytes() == views[1].log_probabilities.tobytes()
    assert views[0].embeddings.tobytes() == views[1].embeddings.tobytes()


def test_a_class_without_an_answer_is_not_predicted_and_does_not_fail() -> None:
    pool, annotations = some("demo", 60)
    card = TASKS["demo"].card
    labels = np.where(annotations.labels == 2, -1, annotations.labels)
    fitted = student("tfidf", card).fit(
        pool, Annotations.of(labels, pool.offsets), 0, no_progress, Aids()
    )
    view = fitted.view(pool, no_progress)
    check(view, pool, card)
    assert (view.predictions != 2).all()


def test_tfidf_with_one_class_says_that_class() -> None:
    pool, _ = some("demo", 30)
    only = Annotations.of(np.full(30, 4), pool.offsets)
    view = (
        student("tfidf", TASKS["demo"].card)
        .fit(pool, only, 0, no_progress, Aids())
        .view(pool, no_progress)
    )
    assert (view.predictions == 4).all()


@pytest.mark.slow
def test_a_sentence_longer_than_the_encoder_is_tagged_to_its_end() -> None:
    card = TASKS["demo-ner"].card
    pool, annotations = some("demo-ner", 20)
    long = Pool("token", "train", ("train:1",), [tuple(f"word{i}" for i in range(700))])
    fitted = student("minilm", card, epochs=1).fit(pool, annotations, 0, no_progress, Aids())
    view = fitted.view(long, no_progress)
    check(view, long, card)
    # Windows are looked at one by one: the last words have probabilities of their own.
    assert len(np.unique(view.log_probabilities[-50:, 0])) > 10


def test_losses_are_the_cross_entropy_of_the_annotations() -> None:
    probabilities = np.asarray([[0.7, 0.3], [0.1, 0.9], [0.5, 0.5]], dtype=np.float32)
    view = StudentView(np.log(probabilities), np.asarray([0, 1, 0]), np.zeros((3, 2)), np.arange(4))
    losses = view.losses(Annotations.of(np.asarray([1, 1, -1]), np.arange(4)))
    assert np.allclose(losses[:2], [-np.log(0.3), -np.log(0.9)])
    assert np.isnan(losses[2])
